"""Inside LIMAP 2: lines and their matches for its triangulation; see ``docs/how_to/limap.md``.

``extractor`` and ``matcher`` hold classes that LIMAP's own steps call; ``structures`` hands over
what ``gluestick export`` has written. LIMAP takes lines in the frame of COLMAP's cameras, with
(0, 0) at the corner of the image, and in undistorted images.
"""
