"""Wireframes: keypoints and line segments as one graph per image."""

from gluestick.wireframe.build import WireframeConfig, build_wireframe
from gluestick.wireframe.collate import split_wireframe, stack_wireframes

__all__ = ["WireframeConfig", "build_wireframe", "split_wireframe", "stack_wireframes"]
