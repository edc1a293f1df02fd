"""Readers of the formats in which posed images come."""
