"""Pairs of images with known truth, and what is learnt from: batches of them and cached rows."""
