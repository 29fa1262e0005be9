"""Published speech weights -> bundles, once, at build time. Nothing of this runs on a box."""
