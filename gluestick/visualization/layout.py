"""Which photographs of a set are connected, and how they lie in the frame of one of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree, shortest_path

from gluestick.visualization.inputs import to_homography


class Link(NamedTuple):
    """How two photographs are connected.

    Attributes:
        H: [3, 3], the homography from the first to the second.
        weight: How sure it is, such as the number of its inliers, above 0.
    """

    H: np.ndarray
    weight: float


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where photographs lie in the frame of one of them.

    Attributes:
        reference: The index of the photograph whose frame it is.
        H_to_reference: For each photograph [3, 3] float64, or None where nothing connects it.
    """

    reference: int
    H_to_reference: tuple[np.ndarray | None, ...]


def arrange_photographs(count: int, links: Mapping[tuple[int, int], Link]) -> Layout:
    """Chain homographies along the surest links to the photograph in the middle.

    Args:
        count: The number N of photographs, at least 1.
        links: Links by the indices (first, second) of the photographs.

    Returns:
        The layout of the largest set of photographs that links connect; the reference is the
        one from which the fewest links lead to the farthest.

    Raises:
        ValueError: If an index, a homography or a weight does not fit.
    """
    for (first, second), link in links.items():
        if not (0 <= first < count and 0 <= second < count and first != second):
            raise ValueError(f"links need two of {count} photographs, found {first} and {second}")
        to_homography(f"the link from {first} to {second}", link.H)
        if not 0 < link.weight < np.inf:
            raise ValueError(f"links need weights above 0, found {link.weight}")
    ends = np.array(list(links), dtype=int).reshape(-1, 2)
    costs = np.array([1 / link.weight for link in links.values()])
    graph = coo_array((costs, (ends[:, 0], ends[:, 1])), shape=(count, count)).tocsr()
    tree = minimum_spanning_tree(graph)
    steps = shortest_path(tree, directed=False, unweighted=True)
    reachable = np.isfinite(steps)
    farthest = np.where(reachable, steps, 0).max(axis=1)
    reference = int(np.lexsort([farthest, -reachable.sum(axis=1)])[0])
    order, before = breadth_first_order(tree, reference, directed=False)
    to_reference: list[np.ndarray | None] = [None] * count
    to_reference[reference] = np.eye(3)
    for index in order[1:]:
        previous = int(before[index])
        known = to_reference[previous]
        assert known is not None
        to_reference[index] = known @ _between(links, int(index), previous)
    return Layout(reference=reference, H_to_reference=tuple(to_reference))


def _between(links: Mapping[tuple[int, int], Link], first: int, second: int) -> np.ndarray:
    """Return the surer of the homographies that lead from one photograph to another."""
    candidates = []
    if (first, second) in links:
        link = links[first, second]
        candidates.append((link.weight, to_homography("a link", link.H)))
    if (second, first) in links:
        link = links[second, first]
        candidates.append((link.weight, np.linalg.inv(to_homography("a link", link.H))))
    return max(candidates, key=lambda candidate: candidate[0])[1]
