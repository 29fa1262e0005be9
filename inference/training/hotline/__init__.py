"""Hotline Mandarin for Whisper base: what is spoken, by whom, and the job that learns it."""
