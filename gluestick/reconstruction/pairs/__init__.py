"""Which photographs of a folder are matched with each other."""
