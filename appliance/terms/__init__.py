"""Words that are to be heard right: names of places, units, policies."""
