"""Durable work: taken from the store one by one, done, retried or given up."""
