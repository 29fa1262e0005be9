"""Where it is: places in what was said, against a city's gazetteer, to the level that is sure."""
