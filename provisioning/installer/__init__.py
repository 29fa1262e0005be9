"""Installs, upgrades, takes back. Standard library only: it runs before anything is installed."""
