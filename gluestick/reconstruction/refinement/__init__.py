"""Keypoints moved so that all photographs of a track mean the same point."""
