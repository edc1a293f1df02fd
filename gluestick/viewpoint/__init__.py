"""In which view image 1 must be seen to match image 0, and which turns set a folder upright."""
