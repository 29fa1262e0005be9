"""Texts by what they hold: counted, searched, compared, put together."""
