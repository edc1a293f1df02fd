"""What a line map is made from, and what it is."""

from dataclasses import dataclass

import numpy as np

from gluestick.checks import check_shapes
from gluestick.geometry.distortion import undistort_points
from gluestick.types import Camera, Pose


@dataclass(frozen=True, kw_only=True)
class LineView:
    """A photograph with a known pose and the segments found in it.

    Attributes:
        name: The name of the photograph.
        K: [3, 3] float64, the calibration matrix in px of a pinhole camera.
        pose: World to camera, X_camera = R X_world + t.
        lines: [L, 2, 2] px, the segments as that pinhole camera sees them, without distortion;
            (0, 0) is the centre of the top-left pixel.
        pixel: How many px of the photograph one px is of the image in which segments were
            detected. Thresholds count the latter.
    """

    name: str
    K: np.ndarray
    pose: Pose
    lines: np.ndarray
    pixel: float = 1.0

    def __post_init__(self) -> None:
        check_shapes("LineView", {"K": self.K, "lines": self.lines}, {"K": "3 3", "lines": "L 2 2"})
        if not np.isfinite(self.lines).all():
            raise ValueError(f"LineView.lines of {self.name} needs finite coordinates")
        if not self.pixel > 0:
            raise ValueError(f"LineView.pixel needs to be above 0, found {self.pixel}")

    @classmethod
    def from_camera(
        cls, name: str, camera: Camera, pose: Pose, lines: np.ndarray, *, pixel: float = 1.0
    ) -> "LineView":
        """Return the view of a camera whose lens may distort.

        Args:
            name: The name of the photograph.
            camera: The calibration.
            pose: World to camera.
            lines: [L, 2, 2] px of the photograph. Their endpoints are undistorted.
            pixel: See above.
        """
        straight = undistort_points(np.asarray(lines, dtype=np.float64), camera)
        return cls(name=name, K=np.asarray(camera.K), pose=pose, lines=straight, pixel=pixel)


@dataclass(frozen=True, kw_only=True)
class LineMatches:
    """Segments of two views that may be parts of one line, many to many.

    Attributes:
        view0: Which view is the first.
        view1: Which is the second.
        pairs: [M, 2] integers, a segment of the first view and one of the second.
        scores: [M] in [0, 1], how likely.
    """

    view0: int
    view1: int
    pairs: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        values = {"pairs": self.pairs, "scores": self.scores}
        check_shapes("LineMatches", values, {"pairs": "M 2", "scores": "M"})


@dataclass(frozen=True, kw_only=True)
class LineMap:
    """Segments in space with their tracks.

    Attributes:
        segments: [N, 2, 3] float64, the endpoints in the world.
        errors: [N], the mean distance of the ends of a track's segments from the projected line,
            px of the photographs.
        uncertainties: [N], by how much an endpoint may be off across the line if each end of a
            segment is off by one px of detection, in units of the world.
        observations: [O, 3] int64, which segment in space, which view, which of its segments;
            in ascending order.
    """

    segments: np.ndarray
    errors: np.ndarray
    uncertainties: np.ndarray
    observations: np.ndarray

    def __post_init__(self) -> None:
        names = ("segments", "errors", "uncertainties", "observations")
        check_shapes(
            "LineMap",
            {name: getattr(self, name) for name in names},
            {"segments": "N 2 3", "errors": "N", "uncertainties": "N", "observations": "O 3"},
        )

    def __len__(self) -> int:
        return len(self.segments)

    @property
    def num_views(self) -> np.ndarray:
        """[N] int64, by how many views each segment in space is seen."""
        seen = np.unique(self.observations[:, :2], axis=0)
        return np.bincount(seen[:, 0], minlength=len(self))

    @property
    def lengths(self) -> np.ndarray:
        """[N], the lengths in units of the world."""
        return np.linalg.norm(self.segments[:, 1] - self.segments[:, 0], axis=1)
