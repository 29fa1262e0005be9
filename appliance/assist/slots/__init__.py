"""What an order is filled with: each slot a pure function over what was said."""
