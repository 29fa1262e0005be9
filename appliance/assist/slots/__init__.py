"""What an order is filled with, found in what was said: each slot a pure function over utterances."""
