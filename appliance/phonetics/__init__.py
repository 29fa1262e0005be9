"""How Chinese sounds, and names found by their sound."""
