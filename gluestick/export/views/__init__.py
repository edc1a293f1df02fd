"""Pairs of a folder in further views: which need them, and what is found there."""
