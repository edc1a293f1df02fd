"""Homographies from points and lines: samples, consensus, and what each kind is worth."""
