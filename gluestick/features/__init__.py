"""From an image to keypoints and line segments."""
