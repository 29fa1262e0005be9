"""Work orders (工单): filled from what is said, given to units, followed to their end."""
