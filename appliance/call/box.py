"""The box as the doors see it: open a call, run a recording, say how it is."""
