"""Matching uploaded pairs of images over HTTP."""
