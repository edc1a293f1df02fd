"""From pairwise votes to one upright turn per photograph.

Each confident vote asks two images to be turned so that they agree. Multiples of 90 degrees per
image are sought that satisfy the largest weight of votes: a discrete angular synchronisation,
started from a maximum spanning tree and from the leading eigenvector of the votes (Singer,
"Angular Synchronization by Eigenvectors and Semidefinite Programming", ACHA 2011), and refined
image by image.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import (
    breadth_first_order,
    connected_components,
    minimum_spanning_tree,
)
from torch import Tensor

from gluestick.viewpoint.turns.relative_turn import (
    RelativeTurn,
    RelativeTurnConfig,
    oriented_keypoints,
    vote_on_turn,
)

_NUM_TURNS = 4
_POWER_STEPS = 300
_MAX_ROUNDS = 100
_TINY = 1e-9


def estimate_upright_turns(
    images: Iterable[Tensor],
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    config: RelativeTurnConfig | None = None,
) -> list[float]:
    """Estimate how far to turn each of several photographs of a scene so that all agree.

    The orientation that a camera wrote into EXIF comes first:
    :func:`gluestick.images.load.load_image` applies it.

    Args:
        images: Photographs [3, H, W] float32 in [0, 1], RGB; each is needed only once, so they
            may be read on the way.
        pairs: The pairs of indices that vote, or None for all pairs.
        config: The options of the votes.

    Returns:
        For each image 0, 90, 180 or -90 degrees from the x towards the y axis, for
        :meth:`gluestick.pipeline.PointLineMatcher.extract`; see :func:`synchronize_turns`.

    Raises:
        ValueError: If a pair names an image that does not exist, or one image twice.
    """
    keypoints = [oriented_keypoints(image, config=config) for image in images]
    if pairs is None:
        pairs = list(combinations(range(len(keypoints)), 2))
    _check_pairs(pairs, num_images=len(keypoints))
    votes = [vote_on_turn(keypoints[i], keypoints[j], config=config) for i, j in pairs]
    return synchronize_turns(votes, pairs=pairs, num_images=len(keypoints))


def synchronize_turns(
    votes: Sequence[RelativeTurn], *, pairs: Sequence[tuple[int, int]], num_images: int
) -> list[float]:
    """Turn pairwise votes into one turn per image.

    Votes that are not confident are left out. Among images that votes connect, all could be
    turned together; most of them stay as they are. An image without votes stays as it is.

    Args:
        votes: How far the second image of each pair is turned against the first.
        pairs: The two indices of each vote.
        num_images: The number of images.

    Returns:
        For each image 0, 90, 180 or -90 degrees from the x towards the y axis, by which to turn
        it.

    Raises:
        ValueError: If there is not one vote per pair, or a pair names an image that does not
            exist, or one image twice.
    """
    if len(votes) != len(pairs):
        raise ValueError(f"each pair needs a vote, found {len(pairs)} pairs, {len(votes)} votes")
    _check_pairs(pairs, num_images=num_images)
    support = _support(votes)  # [M, 4]
    kept = support.any(axis=1)
    support, edges = support[kept], np.array(pairs, int).reshape(-1, 2)[kept]
    starts = (_from_tree(support, edges, num_images), _from_phases(support, edges, num_images))
    refined = [_refined(start, support, edges) for start in starts]
    best = max(refined, key=lambda turns: _satisfied(turns, support, edges))
    quarters = _mostly_unturned(best, edges)
    return [float((90 * turn + 90) % 360 - 90) for turn in quarters.tolist()]


def agree_with_known(
    turns: Sequence[float],
    votes: Sequence[RelativeTurn],
    *,
    pairs: Sequence[tuple[int, int]],
    known: Mapping[int, float],
) -> list[float]:
    """Turn images that votes connect together, so that most known ones are as they are known.

    Args:
        turns: What :func:`synchronize_turns` returned.
        votes: The votes that it was given.
        pairs: The pairs that it was given.
        known: Turns of some images that are to stay, degrees.

    Returns:
        For each image 0, 90, 180 or -90 degrees; those of ``known`` are as given.
    """
    edges = [pair for pair, vote in zip(pairs, votes, strict=True) if vote.confident]
    agreed = list(turns)
    for members in _components(np.array(edges, int).reshape(-1, 2), len(turns)):
        offsets = [(known[image] - turns[image]) % 360 for image in members if image in known]
        most_common = max(offsets, key=offsets.count, default=0.0)
        for image in members.tolist():
            agreed[image] = (turns[image] + most_common + 90) % 360 - 90
    return [known.get(image, turn) for image, turn in enumerate(agreed)]


def _check_pairs(pairs: Sequence[tuple[int, int]], *, num_images: int) -> None:
    for i, j in pairs:
        if not (0 <= i < num_images and 0 <= j < num_images and i != j):
            raise ValueError(
                f"a pair needs two different images from 0 to {num_images - 1}, found {(i, j)}"
            )


def _support(votes: Sequence[RelativeTurn]) -> np.ndarray:
    """Return how much each vote supports each difference, [M, 4].

    Turning image j by d quarters more than image i undoes an angle of -90 d degrees. Support
    fades with the cosine, so that an angle of 45 degrees supports two differences alike, and a
    wrong vote supports nothing but its own.
    """
    weights = np.array([vote.trust * vote.confident for vote in votes], float)
    angles = np.radians(np.array([vote.angle for vote in votes], float))
    quarters = np.pi / 2 * np.arange(_NUM_TURNS)
    support = weights[:, None] * np.cos(angles[:, None] + quarters).clip(0)
    return np.where(support < _TINY * weights[:, None], 0.0, support)


def _from_tree(support: np.ndarray, edges: np.ndarray, num_images: int) -> np.ndarray:
    """Follow the votes of a maximum spanning tree from the first image of each component."""
    best = support.max(axis=1, initial=0)
    # A sparse matrix would add up the weights of repeated pairs: the strongest vote comes last.
    strongest = {
        (min(i, j), max(i, j)): vote
        for vote, (i, j) in sorted(enumerate(edges.tolist()), key=lambda item: best[item[0]])
    }
    votes = np.array(list(strongest.values()), int)
    ends = np.array(list(strongest), int).reshape(-1, 2)
    costs = csr_matrix((1 / best[votes], ends.T), shape=(num_images, num_images))
    tree = minimum_spanning_tree(costs)
    turns = np.zeros(num_images, int)
    for first in [int(members[0]) for members in _components(edges, num_images)]:
        order, previous = breadth_first_order(tree, first, directed=False)
        for image in order[1:].tolist():
            i, j = sorted((image, int(previous[image])))
            vote = strongest[i, j]
            difference = int(support[vote].argmax())
            forward = int(edges[vote, 1]) == image
            turns[image] = turns[previous[image]] + (difference if forward else -difference)
    return turns % _NUM_TURNS


def _from_phases(support: np.ndarray, edges: np.ndarray, num_images: int) -> np.ndarray:
    """Round the phases of the leading eigenvector of the Hermitian matrix of the votes."""
    values = support @ np.exp(0.5j * np.pi * np.arange(_NUM_TURNS))  # [M], turn j minus turn i
    i, j = edges.T
    matrix = csr_matrix(
        (np.concatenate([values, values.conj()]), (np.concatenate([j, i]), np.concatenate([i, j]))),
        shape=(num_images, num_images),
    )
    degrees = np.asarray(abs(matrix).sum(axis=1)).ravel()
    scale = 1 / np.maximum(degrees, _TINY)
    phases = np.exp(2j * np.pi * np.random.default_rng(0).random(num_images))
    for _ in range(_POWER_STEPS):
        phases = phases + scale * (matrix @ phases)
        phases /= np.linalg.norm(phases)
    turns = np.zeros(num_images, int)
    for members in _components(edges, num_images):
        # The common offset that brings all phases closest to multiples of 90 degrees.
        offset = np.angle((phases[members] ** _NUM_TURNS).sum()) / _NUM_TURNS
        turns[members] = np.rint((np.angle(phases[members]) - offset) / (np.pi / 2))
    return turns % _NUM_TURNS


def _refined(turns: np.ndarray, support: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Let each image take the turn that most of its votes support, until none changes."""
    turns = turns.copy()
    quarters = np.arange(_NUM_TURNS)
    votes_of = [np.flatnonzero((edges == image).any(axis=1)) for image in range(len(turns))]
    for _ in range(_MAX_ROUNDS):
        changed = False
        for image, votes in enumerate(votes_of):
            second = edges[votes, 1] == image
            other = turns[np.where(second, edges[votes, 0], edges[votes, 1])]
            difference = np.where(second, 1, -1)[:, None] * (quarters - other[:, None])  # [m, 4]
            totals = np.take_along_axis(support[votes], difference % _NUM_TURNS, axis=1).sum(axis=0)
            if totals.max() > totals[turns[image]] * (1 + _TINY):
                turns[image], changed = int(totals.argmax()), True
        if not changed:
            break
    return turns


def _satisfied(turns: np.ndarray, support: np.ndarray, edges: np.ndarray) -> float:
    """Return the support of all votes for the turns."""
    difference = (turns[edges[:, 1]] - turns[edges[:, 0]]) % _NUM_TURNS
    return float(support[np.arange(len(edges)), difference].sum())


def _mostly_unturned(turns: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Turn each component as a whole so that most of its images stay as they are.

    Of equally many the earlier ones stay.
    """
    turns = turns.copy()
    for members in _components(edges, len(turns)):
        counts = np.bincount(turns[members], minlength=_NUM_TURNS)
        most_common = counts[turns[members]].argmax()
        turns[members] -= turns[members[most_common]]
    return turns % _NUM_TURNS


def _components(edges: np.ndarray, num_images: int) -> list[np.ndarray]:
    """Return the indices of the images of each component that votes connect."""
    links = csr_matrix((np.ones(len(edges)), edges.T), shape=(num_images, num_images))
    count, component = connected_components(links, directed=False)
    return [np.flatnonzero(component == label) for label in range(count)]
