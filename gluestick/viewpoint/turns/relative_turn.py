"""How far one photograph is turned against another one of the same scene.

SIFT keypoints know their orientation (Lowe, "Distinctive Image Features from Scale-Invariant
Keypoints", IJCV 2004). Where two photographs are turned against each other, the orientations of
all matching keypoints differ by the same angle, so that the matches can vote on it, also where
most of them are wrong. A vote that not enough matches share is still reliable if an affine map
moves those that do as the angle says.
"""

from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import cv2
import numpy as np
from torch import Tensor

from gluestick.images.contrast import ContrastConfig, stretch_contrast
from gluestick.images.load import to_grayscale
from gluestick.images.view import check_image
from gluestick.side_by_side import run_side_by_side
from gluestick.timing import StageTimer
from gluestick.viewpoint.turns.affine_turn import FEWEST_FOR_AFFINE, affine_turn, mutual_nearest

_BINS = 36
_BIN_WIDTH = 360 / _BINS
_SMALLEST = 16
"""Images with a shorter side, px, have no part in a vote."""

_PRIOR = 0.2
"""The weight in every bin before any match votes, so that a few weak matches decide nothing."""

_MIN_VOTES = 8
"""How many matches have to agree for a confident vote."""

_MAX_AFFINE_ERROR = 0.025
"""How far matches may be from the affine map that confirms a vote, as a share of the longer side
of the reduced image."""

_AFFINE_BAND = 25.0
"""How far their orientations may be from the vote, degrees."""

_AFFINE_TOLERANCE = 30.0
"""How far the affine map may turn from the vote, degrees."""

_TINY = 1e-12

_Angles = TypeVar("_Angles", float, np.ndarray)


@dataclass(frozen=True, kw_only=True)
class RelativeTurnConfig:
    """Options of the vote.

    Attributes:
        size: The length to which the longer side of a larger image is reduced, px.
        max_num_keypoints: How many keypoints vote at most.
        contrast_threshold: OpenCV's threshold for SIFT; lower ones also find keypoints in dark
            and hazy images.
        min_trust: From which trust on a vote counts as confident, if enough matches agree.
        min_inliers: From how many matches on that an affine map confirms a vote counts as
            confident whatever its trust.
        snap: Angles within this distance of a multiple of 90 degrees count as that multiple, for
            which no pixel has to be interpolated, degrees.
    """

    size: int = 320
    max_num_keypoints: int = 800
    contrast_threshold: float = 0.01
    min_trust: float = 4.0
    min_inliers: int = 9
    snap: float = 15.0

    def __post_init__(self) -> None:
        if self.size < 1 or self.max_num_keypoints < 1:
            raise ValueError(
                "size and max_num_keypoints need to be at least 1, found "
                f"{self.size} and {self.max_num_keypoints}"
            )
        if self.min_inliers < FEWEST_FOR_AFFINE:
            raise ValueError(
                f"min_inliers needs to be at least {FEWEST_FOR_AFFINE}, found {self.min_inliers}"
            )
        if not 0 <= self.snap <= 45:
            raise ValueError(f"snap needs to be between 0 and 45 degrees, found {self.snap}")


@dataclass(frozen=True, kw_only=True)
class RelativeTurn:
    """The outcome of a vote, or of :func:`gluestick.viewpoint.turns.turn_search.search_turn`.

    Attributes:
        angle: How far image 1 is turned against image 0, degrees in (-180, 180] from the x
            towards the y axis: by 90 it shows clockwise what image 0 shows.
        trust: How far the angle stands out: for a vote the height of the peak over that of the
            mean bin, from 0, nothing matches, to 12, many matches agree.
        num_inliers: How many matches an affine map confirms.
        confident: Whether to rely on the angle.
    """

    angle: float
    trust: float
    num_inliers: int
    confident: bool


NO_TURN = RelativeTurn(angle=0.0, trust=0.0, num_inliers=0, confident=False)
"""The outcome where nothing matches."""


@dataclass(frozen=True, kw_only=True)
class OrientedKeypoints:
    """What an image brings to votes; computed once per image.

    Attributes:
        positions: [N, 2] float32, in units of the longer side of the image.
        orientations: [N] float32, degrees from the x towards the y axis.
        descriptors: [N, 128] float32, root-SIFT, rows of unit norm.
    """

    positions: np.ndarray
    orientations: np.ndarray
    descriptors: np.ndarray


def oriented_keypoints(
    image: Tensor,
    *,
    mask: Tensor | None = None,
    config: RelativeTurnConfig | None = None,
    contrast: ContrastConfig | None = None,
) -> OrientedKeypoints:
    """Find the keypoints of an image that take part in votes.

    Args:
        image: [3, H, W] float32 in [0, 1], RGB.
        mask: [H, W] bool; keypoints lie only where it is True.
        config: The options.
        contrast: How the contrast is stretched first; the defaults if left out.

    Returns:
        The keypoints; none for blank and tiny images.

    Raises:
        ShapeError: If the image or the mask has another shape.
    """
    config = config or RelativeTurnConfig()
    check_image(image, mask, owner="oriented_keypoints")
    image = stretch_contrast(image, config=contrast or ContrastConfig())
    gray = (to_grayscale(image) * 255).cpu().numpy()
    factor = min(1.0, config.size / max(gray.shape))
    size = tuple(max(1, round(length * factor)) for length in gray.shape[::-1])
    if min(size) < _SMALLEST:
        return _without_keypoints()
    gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).round().astype(np.uint8)
    allowed = None
    if mask is not None:
        shown = mask.cpu().numpy().astype(np.uint8)
        allowed = cv2.resize(shown, size, interpolation=cv2.INTER_NEAREST)
    engine = cv2.SIFT.create(
        nfeatures=config.max_num_keypoints, contrastThreshold=config.contrast_threshold
    )
    found, histograms = engine.detectAndCompute(gray, allowed)
    if len(found) == 0:
        return _without_keypoints()
    sums = np.maximum(histograms.sum(axis=1, keepdims=True), _TINY)
    return OrientedKeypoints(
        positions=np.array([keypoint.pt for keypoint in found], np.float32) / max(size),
        orientations=np.array([keypoint.angle for keypoint in found], np.float32),
        descriptors=np.sqrt(histograms / sums),
    )


def vote_on_turn(
    keypoints0: OrientedKeypoints,
    keypoints1: OrientedKeypoints,
    *,
    config: RelativeTurnConfig | None = None,
) -> RelativeTurn:
    """Let matching keypoints vote on how far image 1 is turned against image 0.

    Mutual nearest neighbours vote with the distance by which the second nearest keypoint of
    image 1 is farther, into 36 bins that are summed over three neighbours. An affine map is fitted
    to the matches near the peak (RANSAC).

    Args:
        keypoints0: What image 0 brings.
        keypoints1: What image 1 brings.
        config: The options.

    Returns:
        The outcome; angle and trust are 0 where nothing matches.
    """
    config = config or RelativeTurnConfig()
    matched0, matched1, weights = _mutual_matches(keypoints0, keypoints1)
    differences = (keypoints1.orientations[matched1] - keypoints0.orientations[matched0]) % 360
    bins = np.floor(differences / _BIN_WIDTH).astype(int) % _BINS
    histogram = np.bincount(bins, weights, minlength=_BINS)
    histogram = np.roll(histogram, 1) + histogram + np.roll(histogram, -1)
    if not histogram.any():
        return NO_TURN
    peak = int(histogram.argmax())
    trust = float(histogram[peak] / (histogram.mean() + _PRIOR))
    centre = (peak + 0.5) * _BIN_WIDTH
    offsets = _signed(differences - centre)
    near = np.abs(offsets) <= 1.5 * _BIN_WIDTH
    angle = centre + np.average(offsets[near], weights=weights[near])
    agreeing = np.abs(_signed(differences - angle)) <= _AFFINE_BAND
    num_inliers = _count_inliers(
        keypoints0.positions[matched0[agreeing]],
        keypoints1.positions[matched1[agreeing]],
        angle=angle,
    )
    trusted = trust >= config.min_trust and int(near.sum()) >= _MIN_VOTES
    return RelativeTurn(
        angle=float(180 - (180 - angle) % 360),
        trust=trust,
        num_inliers=num_inliers,
        confident=trusted or num_inliers >= config.min_inliers,
    )


def estimate_relative_turn(
    image0: Tensor,
    image1: Tensor,
    *,
    mask0: Tensor | None = None,
    mask1: Tensor | None = None,
    config: RelativeTurnConfig | None = None,
    contrast: ContrastConfig | None = None,
) -> RelativeTurn:
    """Estimate how far image 1 is turned against image 0.

    Args:
        image0: [3, H0, W0] float32 in [0, 1], RGB.
        image1: [3, H1, W1].
        mask0: [H0, W0] bool; only what lies where it is True takes part.
        mask1: [H1, W1] bool.
        config: The options.
        contrast: How the contrast is stretched first; the defaults if left out.

    Returns:
        The outcome of the vote; not confident for blank, tiny and unrelated images.

    Raises:
        ShapeError: If an image or a mask has another shape.
    """

    def look(image: Tensor, mask: Tensor | None, _: StageTimer) -> OrientedKeypoints:
        return oriented_keypoints(image, mask=mask, config=config, contrast=contrast)

    found = run_side_by_side(
        [partial(look, image0, mask0), partial(look, image1, mask1)],
        apart=image0.is_cpu and image1.is_cpu,
    )
    return vote_on_turn(*found, config=config)


def undoing_turn(turn: RelativeTurn, *, config: RelativeTurnConfig | None = None) -> float:
    """Return how far to turn image 1 so that it shows things as image 0 does.

    Args:
        turn: The outcome of a vote.
        config: The options.

    Returns:
        Degrees in [-180, 180) from the x towards the y axis; 0 without a confident vote.
    """
    config = config or RelativeTurnConfig()
    if not turn.confident:
        return 0.0
    nearest = 90.0 * round(turn.angle / 90)
    angle = nearest if abs(turn.angle - nearest) <= config.snap else turn.angle
    return -angle if angle else 0.0


def _mutual_matches(
    keypoints0: OrientedKeypoints, keypoints1: OrientedKeypoints
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the indices [M] of mutual nearest neighbours in both images, and their weights."""
    matched0, matched1, similarity = mutual_nearest(keypoints0.descriptors, keypoints1.descriptors)
    if similarity.shape[1] < 2:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    best_two = np.partition(similarity, -2, axis=1)[:, -2:]  # [M, 2], best last
    distances = np.sqrt(np.maximum(2 - 2 * best_two, 0))
    return matched0, matched1, distances[:, 0] - distances[:, 1]


def _count_inliers(positions0: np.ndarray, positions1: np.ndarray, *, angle: float) -> int:
    """Count the matches [M, 2] of the best affine map; none if it turns otherwise than a vote."""
    turn, num_inliers = affine_turn(positions0, positions1, max_error=_MAX_AFFINE_ERROR)
    return num_inliers if abs(_signed(turn - angle)) <= _AFFINE_TOLERANCE else 0


def _signed(angles: _Angles) -> _Angles:
    """Bring angles in degrees to [-180, 180)."""
    return (angles + 180) % 360 - 180


def _without_keypoints() -> OrientedKeypoints:
    return OrientedKeypoints(
        positions=np.zeros((0, 2), np.float32),
        orientations=np.zeros(0, np.float32),
        descriptors=np.zeros((0, 128), np.float32),
    )
