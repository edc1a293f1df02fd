"""Pages of one file, to be opened in a browser: they need no server and ask none."""
