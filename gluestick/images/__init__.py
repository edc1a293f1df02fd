"""Photographs: reading them from files and arrays, and resizing them."""

from gluestick.images.contrast import ContrastConfig
from gluestick.images.load import as_image, load_image, load_mask, to_grayscale
from gluestick.images.resize import ResizeConfig, resize_image, resize_mask

__all__ = [
    "ContrastConfig",
    "ResizeConfig",
    "as_image",
    "load_image",
    "load_mask",
    "resize_image",
    "resize_mask",
    "to_grayscale",
]
