"""Who speaks when: windows in, turns out. The same pipeline with and without torch."""
