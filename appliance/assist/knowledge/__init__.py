"""The knowledge base: what may be answered, found while the citizen still speaks."""
