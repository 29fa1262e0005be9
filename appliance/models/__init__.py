"""Bundles on a box: who vouches for them, which there are, which one serves."""
