"""What the box knows of itself besides its calls."""
