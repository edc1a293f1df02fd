"""How far one photograph is turned against another one, found with the detector itself.

Where the vote of :mod:`gluestick.viewpoint.turns.relative_turn` has no opinion, a learned detector,
whose descriptors bear more change of light and viewpoint than SIFT's, but no turn beyond 45
degrees, is run on reduced copies of image 1 in several turns. The turn in which most mutual nearest
neighbours follow one affine map is the best, and the map tells the angle.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor
from gluestick.images.resize import ResizeConfig
from gluestick.viewpoint.described_views import describe_views
from gluestick.viewpoint.turns.affine_turn import FEWEST_FOR_AFFINE, affine_turn, mutual_nearest
from gluestick.viewpoint.turns.relative_turn import NO_TURN, RelativeTurn


@dataclass(frozen=True, kw_only=True)
class TurnSearchConfig:
    """Options of the search.

    Attributes:
        size: The length to which the longer side of a larger image is reduced, px.
        max_num_keypoints: How many keypoints take part.
        num_turns: How many turns are tried, evenly spread over the circle.
        max_error: How far matches may be from the affine map, as a share of the longer side of
            image 1.
        min_inliers: How many matches have to follow the map for a confident turn.
        min_ratio: How many times as many it has to be as in any of the turns tried that is not
            next to the best one.
        min_support: Pairs are searched whose matching scores add up to less than this share of
            the number of keypoints of the image with fewer; 0 for none.
    """

    size: int = 320
    max_num_keypoints: int = 256
    num_turns: int = 8
    max_error: float = 0.01
    min_inliers: int = 9
    min_ratio: float = 1.25
    min_support: float = 0.08

    def __post_init__(self) -> None:
        for name in ("size", "max_num_keypoints", "num_turns"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs to be at least 1, found {getattr(self, name)}")
        if self.max_error <= 0:
            raise ValueError(f"max_error needs to be positive, found {self.max_error}")
        if self.min_inliers < FEWEST_FOR_AFFINE:
            raise ValueError(
                f"min_inliers needs to be at least {FEWEST_FOR_AFFINE}, found {self.min_inliers}"
            )


def search_turn(
    extractor: FeatureExtractor,
    image0: Tensor,
    image1: Tensor,
    *,
    mask0: Tensor | None = None,
    mask1: Tensor | None = None,
    config: TurnSearchConfig | None = None,
) -> RelativeTurn:
    """Search how far image 1 is turned against image 0.

    Args:
        extractor: Detects the keypoints.
        image0: [3, H0, W0] float32 in [0, 1], RGB.
        image1: [3, H1, W1].
        mask0: [H0, W0] bool; only what lies where it is True takes part.
        mask1: [H1, W1] bool.
        config: The options.

    Returns:
        The angle of the affine map; the trust is the number of matches that follow it over the
        mean of all turns. Not confident for blank, tiny and unrelated images.

    Raises:
        ShapeError: If an image or a mask has another shape.
    """
    config = config or TurnSearchConfig()
    reduced = ResizeConfig(size=config.size)
    view0 = extractor.view(image0, mask0, resize=reduced)
    view1 = extractor.view(image1, mask1, resize=reduced)
    (upright,) = describe_views(extractor, [view0], max_num_keypoints=config.max_num_keypoints)
    if len(upright.positions) == 0:
        return NO_TURN
    max_error = config.max_error * max(image1.shape[1:])
    views = [view1.turned(360.0 * step / config.num_turns) for step in range(config.num_turns)]
    found = []
    for turned in describe_views(extractor, views, max_num_keypoints=config.max_num_keypoints):
        matched0, matched1, _ = mutual_nearest(upright.descriptors, turned.descriptors)
        found.append(
            affine_turn(
                upright.positions[matched0], turned.positions[matched1], max_error=max_error
            )
        )
    angles, counts = (np.array(values) for values in zip(*found, strict=True))
    best = int(counts.argmax())
    if counts[best] == 0:
        return NO_TURN
    steps = np.abs(np.arange(config.num_turns) - best)
    apart = np.minimum(steps, config.num_turns - steps) > 1
    stands_out = counts[best] >= config.min_ratio * counts[apart].max(initial=0)
    return RelativeTurn(
        angle=float(angles[best]),
        trust=float(counts[best] / counts.mean()),
        num_inliers=int(counts[best]),
        confident=bool(counts[best] >= config.min_inliers and stands_out),
    )
