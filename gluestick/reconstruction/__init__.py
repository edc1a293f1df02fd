"""A folder of photographs becomes a COLMAP database and sparse models."""
