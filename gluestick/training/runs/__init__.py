"""A run of training: its processes, its log and record, and what it can go on from."""
