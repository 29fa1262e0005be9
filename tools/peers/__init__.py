"""What others make of the same weights, to be compared with."""
