"""A folder in which hloc looks for matchers; see :mod:`gluestick.bridges.hloc`."""
