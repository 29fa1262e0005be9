"""Early warning: many calls and texts that turn on one matter in one place."""
