"""Calls played to a box of its own, to measure what it carries."""
