"""What the box makes of a call for those who work on it: pure parts, each with its subscriber."""
