"""A folder in which hloc looks for extractors; see :mod:`gluestick.bridges.hloc`."""
