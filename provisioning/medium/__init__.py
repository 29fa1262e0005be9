"""Builds the installation medium on a machine with internet; see docs/install.md."""
