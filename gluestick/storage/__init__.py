"""Files: put in place at once, parameters, and HDF5."""
