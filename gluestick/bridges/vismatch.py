"""Inside vismatch: a matcher that is called like its own, and returns the same and lines.

vismatch has no list to which matchers of others could be added: make one yourself, in place of
``vismatch.get_matcher``. See ``docs/how_to/vismatch.md``.
"""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from gluestick.bridges.programs import import_program
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import DEFAULT_MODEL

_BaseMatcher: Any = import_program(
    "vismatch", install="pip install vismatch, in an environment of its own"
).BaseMatcher


class GlueStickMatcher(_BaseMatcher):
    """Matches keypoints and line segments of two images.

    Args:
        device: Where it runs, such as "cuda".
        max_num_keypoints: How many keypoints are kept per image.
        max_num_lines: How many line segments are kept per image; None for what the model says.
        model: The name of the model.
        weights: A file of network weights, for models whose weights are not shipped.
        detector_weights: A file of point detector weights, for detectors likewise.
        options: vismatch's own: ``ransac_iters``, ``ransac_conf``, ``ransac_reproj_thresh``.

    Raises:
        ValueError: If there is no such model or device, or weights are missing.
    """

    def __init__(
        self,
        device: str = "cpu",
        max_num_keypoints: int = 2048,
        *,
        max_num_lines: int | None = None,
        model: str = DEFAULT_MODEL,
        weights: str | Path | None = None,
        detector_weights: str | Path | None = None,
        **options: Any,
    ) -> None:
        super().__init__(device, **options)
        self.matcher = PointLineMatcher.from_pretrained(
            model,
            weights=weights,
            detector_weights=detector_weights,
            max_num_keypoints=max_num_keypoints,
            max_num_lines=max_num_lines,
            device=device,
        )
        self._lines: dict[str, np.ndarray] = {}

    def forward(self, img0: Any, img1: Any) -> dict[str, Any]:
        """Match two images.

        Args:
            img0: A path, a Pillow image, or a tensor or array [3, H, W] in [0, 1].
            img1: The same.

        Returns:
            vismatch's result: ``num_inliers``, ``H`` [3, 3] or None, ``all_kpts0`` [P0, 2] px,
            ``all_desc0`` [P0, D], ``matched_kpts0`` [S, 2], ``inlier_kpts0`` [I, 2] and the same
            with 1, ``matched_confidences`` [S]; keypoints are line junctions, then the detected
            ones. Added to it ``all_lines0`` [L0, 2, 2] px, ``matched_lines0`` [T, 2, 2] and the
            same with 1, and ``line_confidences`` [T].
        """
        result = super().forward(img0, img1)
        return result | self._lines

    def _forward(self, img0: Tensor, img1: Tensor) -> tuple[Tensor, ...]:
        """Match two images [3, H, W]; return the seven tensors that vismatch asks for."""
        wireframe0, wireframe1, matches = self.matcher(img0, img1)
        lines = matches.matched_lines(wireframe0, wireframe1)
        found = {
            "all_lines0": wireframe0.detected_lines[0],
            "all_lines1": wireframe1.detected_lines[0],
            "matched_lines0": lines[0],
            "matched_lines1": lines[1],
            "line_confidences": _of_matched(matches.line_matches0, matches.line_matching_scores0),
        }
        self._lines = {name: value.cpu().numpy() for name, value in found.items()}
        return (
            *matches.matched_keypoints(wireframe0, wireframe1),
            wireframe0.keypoints[0],
            wireframe1.keypoints[0],
            wireframe0.descriptors[0],
            wireframe1.descriptors[0],
            _of_matched(matches.matches0, matches.matching_scores0),
        )


def _of_matched(matches0: Tensor, scores0: Tensor) -> Tensor:
    """Return the scores [S] of what is matched, of a batch of one pair."""
    return scores0[0][matches0[0] > -1]
