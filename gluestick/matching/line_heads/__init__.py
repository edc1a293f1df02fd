"""Line heads: from matched points and endpoints to the assignment of lines."""
