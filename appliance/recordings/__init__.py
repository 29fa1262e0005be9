"""Recordings: taken in, worked on until each has reached its end."""
