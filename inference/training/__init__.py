"""Makes the demo bundle: text, synthetic voices, training, export (requirements/training.txt)."""
