"""In what mood something is said: sound and words in, calibrated probabilities out."""
