"""Bytes of a call -> 16 kHz float32 per leg, and where in them somebody speaks."""
