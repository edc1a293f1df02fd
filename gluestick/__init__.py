"""Match two images by keypoints and line segments."""
