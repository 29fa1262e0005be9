"""Who may do what, and how what is kept is sealed."""
