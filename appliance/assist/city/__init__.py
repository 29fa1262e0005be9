"""A city pack: everything that is a city's own, as data."""
