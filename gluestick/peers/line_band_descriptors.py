"""LBD, line band descriptors, by OpenCV.

Zhang and Koch, "An efficient and robust line segment matching approach based on LBD descriptor
and pairwise geometric consistency", JVCIR 2013.
"""

from functools import partial

import cv2
import numpy as np
import torch
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.features.points.sampling import unit_rows
from gluestick.geometry.lines import line_lengths
from gluestick.images.load import to_grayscale
from gluestick.types import Points


class LineBandDescriptors:
    """Describes line segments with LBD, on the CPU, and finds no keypoints.

    It takes the place of a point detector for wireframes whose endpoints are not merged: there
    the positions to describe are the endpoints of the segments in turn. An endpoint is described
    by the LBD of its segment as seen from it, so that comparing two segments by their endpoints
    in the better of both orders compares their LBDs in the better of both directions.

    Descriptors are the 72 real numbers of the paper at the scale of the image, not the binary
    ones, which match fewer lines.

    Raises:
        ValueError: If OpenCV was built without its line descriptors.
    """

    descriptor_dim: int = 72

    def __init__(self) -> None:
        if not hasattr(cv2, "line_descriptor"):
            raise ValueError(
                "LBD needs OpenCV's extra modules: install opencv-contrib-python-headless in "
                "place of opencv-python"
            )

    def detect(
        self, image: Tensor, *, mask: Tensor | None = None, max_num_keypoints: int | None = None
    ) -> Points:
        """Return no keypoints, and a sampler that describes segments.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: Has no influence.
            max_num_keypoints: Has no influence.

        Returns:
            No keypoints. ``describe`` takes endpoints [2L, 2] px, those of a segment one after
            the other, to descriptors [2L, 72] of unit norm; it raises a ValueError for an odd
            number of positions.

        Raises:
            ShapeError: If the image has another shape.
        """
        check_shapes("LineBandDescriptors", {"image": image}, {"image": "3 H W"})
        gray = (to_grayscale(image) * 255).round().to(torch.uint8).cpu().numpy()
        return Points(
            keypoints=image.new_zeros(0, 2),
            scores=image.new_zeros(0),
            descriptors=image.new_zeros(0, self.descriptor_dim),
            describe=partial(self._describe, gray),
        )

    def _describe(self, gray: np.ndarray, endpoints: Tensor) -> Tensor:
        if len(endpoints) % 2:
            raise ValueError(
                f"LBD describes segments and needs an even number of endpoints, found "
                f"{len(endpoints)}: set the wireframe's merge to False"
            )
        if len(endpoints) == 0:
            return endpoints.new_zeros(0, self.descriptor_dim)
        lines = endpoints.detach().cpu().double().numpy().reshape(-1, 2, 2)
        both_ways = np.stack([lines, lines[:, ::-1]], axis=1).reshape(-1, 2, 2)  # [2L, 2, 2]
        engine = cv2.line_descriptor.BinaryDescriptor.createBinaryDescriptor()
        _, descriptors = engine.compute(gray, _key_lines(both_ways), returnFloatDescr=True)
        # The descriptor of a segment without any gradient is 0 / 0.
        return unit_rows(torch.from_numpy(np.nan_to_num(descriptors))).to(endpoints)


def _key_lines(lines: np.ndarray) -> list:
    """Return segments [L, 2, 2] px as OpenCV's KeyLines at the scale of the image."""
    lengths = line_lengths(lines)
    directions = lines[:, 1] - lines[:, 0]
    angles = np.arctan2(directions[:, 1], directions[:, 0])
    key_lines = []
    for index, ((start, end), length, angle) in enumerate(
        zip(lines.tolist(), lengths.tolist(), angles.tolist(), strict=True)
    ):
        key_line = cv2.line_descriptor.KeyLine()
        key_line.startPointX, key_line.startPointY = start
        key_line.endPointX, key_line.endPointY = end
        key_line.sPointInOctaveX, key_line.sPointInOctaveY = start
        key_line.ePointInOctaveX, key_line.ePointInOctaveY = end
        key_line.angle = angle
        key_line.class_id = index
        key_line.octave = 0
        key_line.lineLength = length
        key_line.numOfPixels = round(length) + 1
        key_lines.append(key_line)
    return key_lines
