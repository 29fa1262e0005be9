"""Trains the demo diarization bundle on synthetic dialogues."""
