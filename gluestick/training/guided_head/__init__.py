"""Training of the line head of ``aliked-lsd-guided``."""
