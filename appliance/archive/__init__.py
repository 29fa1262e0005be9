"""Calls that are kept: live ones while they run, recordings until they are done, all afterwards."""
