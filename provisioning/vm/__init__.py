"""A clean Debian 12 to install on: as a container (seconds) or as a virtual machine (minutes)."""
