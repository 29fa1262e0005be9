"""For development: none of it is part of an installed box."""
