"""COLMAP's database and models, written and made through pycolmap."""
