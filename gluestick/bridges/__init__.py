"""Inside other programs: hloc, LIMAP and vismatch call what is here.

Each of them is imported only where its bridge is, and is none of the package's extras.
"""
