"""Quality inspection: calls scored by the city's own rules, with evidence."""
