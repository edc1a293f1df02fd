"""The rules by which points and lines of two images count as the same."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

UNMATCHED = -1
IGNORED = -2


class TrueMatches(NamedTuple):
    """True matches between the features of two images.

    Attributes:
        matches0: [B, N0] int64, the feature of image 1, ``UNMATCHED`` (-1) where there is
            certainly none, ``IGNORED`` (-2) where it is not known.
        matches1: [B, N1] int64, the same the other way round.
    """

    matches0: Tensor
    matches1: Tensor


@dataclass(frozen=True, kw_only=True)
class GroundTruthConfig:
    """Thresholds of the ground truth; the defaults are those GlueStick was trained with.

    Attributes:
        positive_distance: px, two points match if each, carried into the other image, lies
            nearer than this to the other, and nearer than to any other point.
        negative_distance: px, a point that lands farther than this from every point of the
            other image is unmatched. In between it is ignored.
        epipolar_distance: px, with depth only: a point of unknown depth is unmatched too if
            all points that could be its partner are farther than this from its epipolar line.
            None ignores all points of unknown depth.
        cycle_error: px, with depth only: a point counts as visible only if it comes back this
            near through the depth of the other image. None does not check.
        depth_error: With depth only: a point or a sample of a line is occluded if it lies
            behind the other image's depth by more than this share of it. Unknown depth
            occludes nothing. None does not check.
        num_samples: Into how many points a line is sampled, its endpoints included.
        line_distance: px, how near to a line the carried samples of its partner have to be.
        min_overlap: The share in [0, 1] of the visible samples that have to lie beside the
            partner, in both directions.
        min_visibility: A line is unmatched if no more than this share in [0, 1] of its
            samples lies within the other image, and ignored if the depth of less is known.
        glue_factory_numerics: Repeat the arithmetic of glue-factory, for comparisons with
            what it gives: homographies divide by z + 1e-5, the lengths of lines are rounded
            to half precision (by up to 0.11 px for lengths below 512 px), the image ends one
            pixel early on the right and at the bottom, and depth falls off to 0 within the
            outermost half pixel.
    """

    positive_distance: float = 3.0
    negative_distance: float = 5.0
    epipolar_distance: float | None = None
    cycle_error: float | None = None
    depth_error: float | None = None
    num_samples: int = 50
    line_distance: float = 5.0
    min_overlap: float = 0.2
    min_visibility: float = 0.5
    glue_factory_numerics: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.positive_distance <= self.negative_distance:
            raise ValueError(
                "positive_distance must be positive and at most negative_distance, found "
                f"{self.positive_distance} and {self.negative_distance}"
            )
        if self.num_samples < 2:
            raise ValueError(f"num_samples must be at least 2, found {self.num_samples}")
        if self.line_distance <= 0:
            raise ValueError(f"line_distance must be positive, found {self.line_distance}")
        for name in ("min_overlap", "min_visibility"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], found {getattr(self, name)}")
        for name in ("epipolar_distance", "cycle_error", "depth_error"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be positive or None, found {value}")
