"""`lingting bench`: what a machine carries, and how much of that is our doing."""
