"""SuperPoint keypoints and descriptors.

DeTone et al., "SuperPoint: Self-Supervised Interest Point Detection and Description", CVPR
Workshops 2018. No weights come with the package: those of Magic Leap (``superpoint_v1.pth``)
may only be used for academic, non-commercial research; an open re-training
(github.com/rpautrat/SuperPoint, ``superpoint_v6_from_tf.pth``) has the MIT licence. Both
layouts are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.features.points.sampling import sample_descriptors
from gluestick.features.points.selection import (
    allowed_pixels,
    check_detector_options,
    chosen_limit,
    strongest,
)
from gluestick.features.points.superpoint_networks import (
    DESCRIPTOR_DIM,
    MagicLeapNetwork,
    OpenNetwork,
)
from gluestick.images.load import to_grayscale
from gluestick.precision import never_autocast, without_autocast
from gluestick.storage.parameters import load_strict, read_parameters
from gluestick.types import Points

_CELL = 8

Variant = Literal["magicleap", "open"]


@dataclass(frozen=True, kw_only=True)
class SuperPointConfig:
    """Options of :class:`SuperPoint`.

    Attributes:
        variant: The layout of the network, "magicleap" or "open"; None takes the one that the
            weights have, and "open" without weights.
        max_num_keypoints: How many keypoints at most, or None for no limit.
        detection_threshold: The probability in (0, 1) that a keypoint exceeds.
        nms_radius: Keypoints keep this distance in x or in y, px.
        border: Keypoints keep this distance from the border, px.
    """

    variant: Variant | None = None
    max_num_keypoints: int | None = 1024
    detection_threshold: float = 0.005
    nms_radius: int = 4
    border: int = 4

    def __post_init__(self) -> None:
        check_detector_options(
            "SuperPointConfig", max_num_keypoints=self.max_num_keypoints, nms_radius=self.nms_radius
        )
        if self.variant not in (None, "magicleap", "open"):
            raise ValueError(
                "SuperPointConfig.variant needs to be 'magicleap', 'open' or None, "
                f"found {self.variant!r}"
            )
        if self.border < 0:
            raise ValueError(
                f"SuperPointConfig.border needs to be at least 0 px, found {self.border}"
            )


@dataclass(frozen=True, kw_only=True)
class SuperPointSampler:
    """Describes positions in an image by SuperPoint's dense map.

    Attributes:
        dense: [256, h, w], a descriptor for each cell of 8 x 8 px.
        layout: The network's class, which knows where in the map a position lies.
    """

    dense: Tensor
    layout: type[MagicLeapNetwork] | type[OpenNetwork]

    @torch.no_grad()
    def __call__(self, positions: Tensor) -> Tensor:
        """Describe positions [M, 2] px, on any device: [M, 256], rows of unit norm."""
        size = (self.dense.shape[2], self.dense.shape[1])
        with without_autocast(self.dense.device):
            mapped = self.layout.map_positions(positions.to(self.dense), size=size)
            described = sample_descriptors(self.dense, mapped)
        return described.to(positions.device)


class SuperPoint(nn.Module):
    """Detects and describes keypoints with SuperPoint.

    The constructor builds the network with random weights; :meth:`from_pretrained` loads them.
    As published, the network sees whole cells of 8 px, so the last rows and columns of an image
    whose sides are not multiples of 8 have no keypoints.

    Args:
        config: The options.
    """

    descriptor_dim: int = DESCRIPTOR_DIM

    def __init__(self, config: SuperPointConfig | None = None) -> None:
        super().__init__()
        self.config = config or SuperPointConfig()
        magicleap = self.config.variant == "magicleap"
        self.network = MagicLeapNetwork() if magicleap else OpenNetwork()
        self.eval()

    @classmethod
    def from_pretrained(
        cls, config: SuperPointConfig | None = None, *, weights: str
    ) -> "SuperPoint":
        """Build the detector and load its weights.

        Args:
            config: The options.
            weights: A checkpoint file in one of the two layouts.

        Raises:
            ValueError: If the file is missing, damaged or belongs to another network.
        """
        config = config or SuperPointConfig()
        state, _ = read_parameters(weights)
        if config.variant is None:
            config = replace(config, variant=_variant_of(state))
        detector = cls(config)
        load_strict(detector.network, state, source=weights)
        return detector

    @torch.no_grad()
    @never_autocast
    def detect(
        self, image: Tensor, *, mask: Tensor | None = None, max_num_keypoints: int | None = None
    ) -> Points:
        """Find and describe keypoints; see :class:`gluestick.features.protocols.PointDetector`.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; keypoints lie only where it is True.
            max_num_keypoints: How many keypoints at most, or None for the configured number.

        Returns:
            Keypoints at whole pixels, scores in (0, 1) and descriptors [N, 256].

        Raises:
            ShapeError: If the image or the mask has another shape.
        """
        limit = chosen_limit(max_num_keypoints, self.config.max_num_keypoints)
        allowed = allowed_pixels(image, mask)
        height, width = allowed.shape
        padding = (0, max(0, _CELL - width), 0, max(0, _CELL - height))
        gray = F.pad(to_grayscale(image)[None, None], padding, mode="replicate")
        output = self.network(gray)
        scores = suppress_non_maxima(score_map(output.logits), radius=self.config.nms_radius)

        allowed = F.pad(allowed, padding)[: scores.shape[0], : scores.shape[1]]
        allowed = _without_border(allowed, width=self.config.border)
        y, x = (allowed & (scores > self.config.detection_threshold)).nonzero(as_tuple=True)
        order = strongest(scores[y, x], max_num_keypoints=limit)
        x, y = x[order], y[order]
        keypoints = torch.stack([x, y], dim=1).to(scores.dtype)
        describe = SuperPointSampler(dense=output.descriptors[0], layout=type(self.network))
        return Points(
            keypoints=keypoints,
            scores=scores[y, x],
            descriptors=describe(keypoints),
            describe=describe,
        )


def score_map(logits: Tensor) -> Tensor:
    """Turn logits per cell into a probability per pixel.

    Args:
        logits: [1, 65, h, w], the last channel for "no keypoint".

    Returns:
        [8 h, 8 w].
    """
    return F.pixel_shuffle(logits.softmax(dim=1)[:, :-1], _CELL)[0, 0]


def suppress_non_maxima(scores: Tensor, *, radius: int) -> Tensor:
    """Set scores to zero that are not the largest nearby, as published with SuperPoint.

    A pixel is kept where it equals the maximum of its window, ties included. Twice more, what
    a kept pixel suppresses is set aside, and the maxima of the rest are kept as well.

    Args:
        scores: [H, W], not negative.
        radius: px; the window has 2 * radius + 1 pixels on a side.

    Returns:
        [H, W].
    """

    def window_max(values: Tensor) -> Tensor:
        return F.max_pool2d(values[None], 2 * radius + 1, stride=1, padding=radius)[0]

    kept = scores == window_max(scores)
    for _ in range(2):
        suppressed = window_max(kept.to(scores.dtype)) > 0
        rest = scores.masked_fill(suppressed, 0)
        kept |= (rest == window_max(rest)) & ~suppressed
    return scores.masked_fill(~kept, 0)


def _without_border(allowed: Tensor, *, width: int) -> Tensor:
    inner = torch.zeros_like(allowed)
    height, length = allowed.shape
    rows, columns = slice(width, height - width), slice(width, length - width)
    if 2 * width < min(height, length):
        inner[rows, columns] = allowed[rows, columns]
    return inner


def _variant_of(state: Mapping[str, Tensor]) -> Variant:
    return "magicleap" if "conv1a.weight" in state else "open"
