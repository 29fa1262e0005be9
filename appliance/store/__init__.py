"""What outlives a process: calls and their journals, jobs, keys, sealed audio."""
