"""Teaches a Whisper bundle a city's own speech: low-rank adapters, trained on the box."""
