"""Wireframes and matches as what hloc's models return and are given.

hloc stores whatever an extractor returns, under the same names, and gives all of it to the
matcher. It maps ``keypoints`` to px of the original image, and nothing else. float32 it stores as
float16, which has steps of 1 px above 1024 px, and float64 as it is: hence positions in double
precision.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from gluestick.export.arrays import wireframe_from_arrays
from gluestick.geometry.pixels import from_resized
from gluestick.types import Matches, Wireframe

_INTEGERS = ("image_size", "num_junctions", "line_junctions")
_NEEDED = (
    "image_size",
    "keypoints",
    "scores",
    "descriptors",
    "num_junctions",
    "lines",
    "line_scores",
    "line_junctions",
    "seen_size",
    "resize_scale",
)


def hloc_prediction(wireframe: Wireframe) -> dict[str, Tensor]:
    """Return what hloc stores of an image.

    Args:
        wireframe: The wireframe of one image, a batch of one, seen as it is.

    Returns:
        The nodes, junctions first: ``keypoints`` [1, P, 2] float64 px, ``scores`` [1, P],
        ``descriptors`` [1, D, P]; ``num_junctions`` [1] int64; ``lines`` [1, L, 2, 2] float64 px
        as detected, ``line_scores`` [1, L], ``line_junctions`` [1, L, 2] int64, the nodes at both
        ends; ``side_colors`` [1, L, 2, C], where the model looks at them; ``seen_size`` [1, 2]
        int64, (width, height) px of the image that the extractor was given; ``resize_scale`` [1]
        float64, the size in which features were found over that.
    """
    prediction = {
        "keypoints": wireframe.keypoints.double(),
        "scores": wireframe.keypoint_scores,
        "descriptors": wireframe.descriptors.mT,
        "num_junctions": wireframe.num_junctions,
        "lines": wireframe.detected_lines.double(),
        "line_scores": wireframe.line_scores,
        "line_junctions": wireframe.line_junctions,
        "seen_size": wireframe.image_size,
        "resize_scale": torch.tensor(wireframe.scales, dtype=torch.float64),
    }
    if wireframe.side_colors is not None:
        prediction["side_colors"] = wireframe.side_colors
    return prediction


def wireframe_from_hloc(data: Mapping[str, Tensor], *, side: int) -> Wireframe:
    """Return the wireframe of one image of a pair from what hloc read.

    Args:
        data: With suffix 0 or 1 the tensors of :func:`hloc_prediction`, keypoints in px of the
            original image, and ``image_size`` [1, 2], its (width, height) px.
        side: Which of both.

    Returns:
        The wireframe, a batch of one, in px of the original image, on the CPU.

    Raises:
        ValueError: If a tensor is missing, as in files of other extractors.
    """
    missing = [name for name in _NEEDED if f"{name}{side}" not in data]
    if missing:
        raise ValueError(
            f"the matcher needs {', '.join(missing)}, which these features lack: extract them "
            "with gluestick.bridges.hloc.FEATURES"
        )
    arrays = {
        name: data[f"{name}{side}"][0].cpu().numpy()
        for name in (*_NEEDED, "side_colors")
        if f"{name}{side}" in data
    }
    arrays |= {name: arrays[name].astype("int64") for name in _INTEGERS}
    scale = arrays.pop("seen_size") / arrays["image_size"]
    arrays["lines"] = from_resized(arrays["lines"], scale=scale).astype("float32")
    arrays["resize_scale"] = arrays["resize_scale"] * scale.mean()
    return wireframe_from_arrays(arrays)


def hloc_matches(matches: Matches, *, junctions: bool) -> dict[str, Tensor]:
    """Return the matches of a pair as hloc's matchers do.

    Args:
        matches: The matches of one pair.
        junctions: Whether matches of junctions that are reported apart are added to those of
            keypoints.

    Returns:
        ``matches0`` [1, P0] int64, the keypoint of image 1 or -1, and ``matching_scores0``
        [1, P0], which hloc stores; and for lines ``line_matches0`` [1, L0] and
        ``line_matching_scores0`` [1, L0], which it passes over.
    """
    found, scores = matches.matches0, matches.matching_scores0
    own, own_scores = matches.junction_matches0, matches.junction_matching_scores0
    if junctions and own is not None and own_scores is not None:
        scores = torch.where(found > -1, scores, own_scores)
        found = torch.where(found > -1, found, own)
    return {
        "matches0": found,
        "matching_scores0": scores,
        "line_matches0": matches.line_matches0,
        "line_matching_scores0": matches.line_matching_scores0,
    }
