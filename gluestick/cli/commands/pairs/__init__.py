"""Commands on two images, one, or the frames of a video."""
