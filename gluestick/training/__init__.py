"""Training of the parts that are this project's own."""
