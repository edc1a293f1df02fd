"""Line detectors: one file per detector, and what they share."""
