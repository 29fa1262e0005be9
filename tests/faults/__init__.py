"""What a box meets in a bad year, drawn by FAULT_SEED, bounded by FAULT_SCALE: make fault-test."""
