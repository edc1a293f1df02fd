"""Random homographies, as GlueStick's line of work draws them to make pairs of photographs.

A view of a photograph shows a random convex quadrilateral of it. The recipe is that of
SuperPoint (DeTone, Malisiewicz and Rabinovich, CVPR workshops 2018), with the steps and
constants of glue-factory's ``sample_homography_corners``.
"""

from dataclasses import dataclass

import cv2
import numpy as np

_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
"""The corners of the unit square, clockwise as seen in an image."""

_MIN_CONVEXITY = 0.05
"""The smallest cross product of successive sides, in units of the photograph's size."""

_NUM_ANGLES = 10


@dataclass(frozen=True, kw_only=True)
class HomographyConfig:
    """How views are drawn.

    Attributes:
        difficulty: In [0, 1]: the share of the way to the centre that each corner may move,
            and of the largest rotation and translation.
        max_angle: Degrees; each view is turned by up to ``difficulty`` times this, as far as
            it stays within the photograph.
        max_turn: Degrees up to 180, or None: the second view is turned against the first by an
            angle drawn evenly from ``-max_turn`` to ``max_turn`` in place of ``max_angle``, and
            shrinks where it would leave the photograph.
        undo_turn: With ``max_turn``: the second view shows as much of the photograph as the
            turned one would, but upright; what remains of a difference is due to the turn.
    """

    difficulty: float = 0.7
    max_angle: float = 45.0
    max_turn: float | None = None
    undo_turn: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.difficulty < 1:
            raise ValueError(f"difficulty needs to be in [0, 1), found {self.difficulty}")
        if not 0 <= self.max_angle <= 180:
            raise ValueError(f"max_angle needs to be from 0 to 180, found {self.max_angle}")
        if self.max_turn is not None and not 0 <= self.max_turn <= 180:
            raise ValueError(f"max_turn needs to be from 0 to 180, found {self.max_turn}")
        if self.undo_turn and self.max_turn is None:
            raise ValueError("undo_turn needs max_turn: give the turn that is undone")


def sample_views(
    rng: np.random.Generator, *, image_size: tuple[int, int], config: HomographyConfig | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw two views of a photograph.

    Args:
        rng: The source of randomness.
        image_size: (width, height) px of the photograph and of both views.
        config: How they are drawn.

    Returns:
        Two homographies [3, 3] float64 from the photograph to a view, in px with (0, 0) at the
        centre of the top-left pixel, and positive determinants. The one between the views is
        ``H1 @ inv(H0)``.
    """
    config = config or HomographyConfig()
    if config.max_turn is None:
        angles = np.radians(config.max_angle * config.difficulty) * np.linspace(-1, 1, _NUM_ANGLES)
        views = [_sample_view(rng, rng.permutation(angles), image_size, config) for _ in range(2)]
    else:
        turn = np.radians(rng.uniform(-config.max_turn, config.max_turn))
        views = [_sample_view(rng, None, image_size, config, turn=angle) for angle in (0.0, turn)]
    return views[0], views[1]


def _sample_view(
    rng: np.random.Generator,
    angles: np.ndarray | None,
    image_size: tuple[int, int],
    config: HomographyConfig,
    *,
    turn: float = 0.0,
) -> np.ndarray:
    size = np.array(image_size, dtype=np.float64)
    quad = _sample_quad(rng, config.difficulty) * size  # [4, 2] px from the outer corner
    quad = _shrunk_to_fit(_turned(quad, turn), size)
    if config.undo_turn:
        quad = _turned(quad, -turn)
    for angle in () if angles is None else angles:
        turned = _turned(quad, angle)
        if (turned >= 0).all() and (turned < size).all():
            quad = turned
            break
    room = rng.uniform(-quad.min(axis=0), size - quad.max(axis=0))
    quad = quad + room * config.difficulty
    # Pixel centres lie half a pixel from the outer corner.
    source, target = quad - 0.5, _CORNERS * size - 0.5
    H = cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32))
    return H * np.sign(np.linalg.det(H))


def _sample_quad(rng: np.random.Generator, difficulty: float) -> np.ndarray:
    """Draw a convex quadrilateral [4, 2] around the centre of the unit square."""
    while True:
        inwards = rng.uniform(size=(4, 2)) * difficulty / 2
        quad = _CORNERS + inwards * (1 - 2 * _CORNERS)
        sides = np.roll(quad, -1, axis=0) - quad
        following = np.roll(sides, -1, axis=0)
        cross = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
        if (cross > _MIN_CONVEXITY).all():
            return quad - quad.mean(axis=0) + 0.5


def _turned(quad: np.ndarray, angle: float) -> np.ndarray:
    centre = quad.mean(axis=0)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (quad - centre) @ rotation.T + centre


def _shrunk_to_fit(quad: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Shrink a quadrilateral around its centre until it lies within the photograph."""
    centre = quad.mean(axis=0)
    reach = quad - centre
    room = np.where(reach > 0, size - centre, centre)
    factor = min(1.0, float((room / np.maximum(abs(reach), 1e-9)).min()))
    return centre + factor * reach


@dataclass(frozen=True, kw_only=True)
class ViewChange:
    """How one view differs from another around its centre.

    Attributes:
        rotation: Degrees in [0, 180], how far it is turned in the plane.
        scale: At least 1, how much larger or smaller things are.
        tilt: Degrees in [0, 90), the change of viewpoint: the arc cosine of the ratio of the
            shortest to the longest side of what was a square.
    """

    rotation: float
    scale: float
    tilt: float


def view_change(H_0to1: np.ndarray, *, image_size: tuple[int, int]) -> ViewChange:
    """Measure a homography by its affine approximation at the centre of image 0.

    Args:
        H_0to1: [3, 3], in px.
        image_size: (width, height) px of image 0.

    Returns:
        The parts of the change.
    """
    jacobian = _jacobian_at_centre(H_0to1, image_size)
    longest, shortest = np.linalg.svd(jacobian, compute_uv=False)
    scale = np.sqrt(longest * shortest)
    return ViewChange(
        rotation=abs(_rotation_of(jacobian)),
        scale=float(max(scale, 1 / scale)),
        tilt=float(np.degrees(np.arccos(np.clip(shortest / longest, 0, 1)))),
    )


def rotation_at_centre(H_0to1: np.ndarray, *, image_size: tuple[int, int]) -> float:
    """Return how far a homography turns the centre of image 0.

    Arguments are those of :func:`view_change`.

    Returns:
        Degrees in [-180, 180] from the x towards the y axis.
    """
    return _rotation_of(_jacobian_at_centre(H_0to1, image_size))


def _jacobian_at_centre(H_0to1: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    mapped = H_0to1 @ np.array([(image_size[0] - 1) / 2, (image_size[1] - 1) / 2, 1.0])
    position = mapped[:2] / mapped[2]
    return (H_0to1[:2, :2] - np.outer(position, H_0to1[2, :2])) / mapped[2]


def _rotation_of(jacobian: np.ndarray) -> float:
    sine, cosine = jacobian[1, 0] - jacobian[0, 1], jacobian[0, 0] + jacobian[1, 1]
    return float(np.degrees(np.arctan2(sine, cosine)))
