"""Public data sets: where they are, whose they are, and how they get into a folder."""
