"""Pure functions on points, lines, homographies and pixel coordinates."""
