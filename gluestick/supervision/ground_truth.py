"""True matches between the nodes and between the lines of two wireframes."""

from torch import Tensor

from gluestick.supervision.line_truth import line_truth_from_depth, line_truth_from_homography
from gluestick.supervision.point_truth import point_truth_from_depth, point_truth_from_homography
from gluestick.supervision.reprojection import DepthPair
from gluestick.supervision.rules import GroundTruthConfig, TrueMatches
from gluestick.types import GroundTruth, Wireframe


def ground_truth_from_homography(
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    H_0to1: Tensor,
    *,
    junctions: bool = False,
    config: GroundTruthConfig | None = None,
) -> GroundTruth:
    """Find the true matches of two images of a plane.

    Args:
        wireframe0: The wireframes of the first images.
        wireframe1: The wireframes of the second images.
        H_0to1: [B, 3, 3], from image 0 to image 1, in px.
        junctions: Whether junctions are nodes like all others, for networks that report one
            list of matches. Otherwise they are ignored, and keypoints match keypoints only.
        config: The rule.

    Returns:
        The ground truth on the device of the wireframes. Padding is ignored.

    Raises:
        ShapeError: If the batches differ in size.
    """
    nodes0, nodes1 = _nodes(wireframe0, junctions), _nodes(wireframe1, junctions)
    points = point_truth_from_homography(
        wireframe0.keypoints,
        wireframe1.keypoints,
        H_0to1,
        mask0=nodes0,
        mask1=nodes1,
        config=config,
    )
    lines = line_truth_from_homography(
        wireframe0.detected_lines,
        wireframe1.detected_lines,
        H_0to1,
        image_size0=wireframe0.image_size,
        image_size1=wireframe1.image_size,
        mask0=wireframe0.line_mask,
        mask1=wireframe1.line_mask,
        config=config,
    )
    return _ground_truth(points, lines)


def ground_truth_from_depth(
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    pair: DepthPair,
    *,
    junctions: bool = False,
    config: GroundTruthConfig | None = None,
) -> GroundTruth:
    """Find the true matches of two posed images with depth.

    Args:
        wireframe0: The wireframes of the first images.
        wireframe1: The wireframes of the second images.
        pair: The depth and the poses of the same images.
        junctions: As in :func:`ground_truth_from_homography`.
        config: The rule.

    Returns:
        The ground truth on the device of the wireframes. Padding is ignored, and so are
        features whose depth is unknown.

    Raises:
        ShapeError: If the batches differ in size.
    """
    points = point_truth_from_depth(
        wireframe0.keypoints,
        wireframe1.keypoints,
        pair,
        mask0=_nodes(wireframe0, junctions),
        mask1=_nodes(wireframe1, junctions),
        config=config,
    )
    lines = line_truth_from_depth(
        wireframe0.detected_lines,
        wireframe1.detected_lines,
        pair,
        mask0=wireframe0.line_mask,
        mask1=wireframe1.line_mask,
        config=config,
    )
    return _ground_truth(points, lines)


def _nodes(wireframe: Wireframe, junctions: bool) -> Tensor:
    mask = wireframe.keypoint_mask
    return mask if junctions else mask & ~wireframe.junction_mask


def _ground_truth(points: TrueMatches, lines: TrueMatches) -> GroundTruth:
    return GroundTruth(
        gt_matches0=points.matches0,
        gt_matches1=points.matches1,
        gt_line_matches0=lines.matches0,
        gt_line_matches1=lines.matches1,
    )
