"""Doors by WebSocket."""
