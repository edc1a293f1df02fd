"""The page of ``gluestick web``: photographs dropped into a browser are matched."""
