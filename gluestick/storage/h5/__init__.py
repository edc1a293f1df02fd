"""HDF5 files that only grow, and what reads and joins them."""
