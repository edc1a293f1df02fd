"""How much memory matching a pair takes at most, by what its images have.

Bounds of what the networks of this package hold while they match without gradients, in single
precision. ``tests/matching/test_memory.py`` compares them with what torch says that it holds, and
``docs/measurements/speed/parts/node_scale.py`` with what the system says.
"""

from dataclasses import dataclass

from gluestick.matching.assignment import PIECE
from gluestick.matching.gluestick import GlueStickConfig
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.matching.line_heads.same_line_features import PAIRS_AT_ONCE
from gluestick.types import Wireframe

NetworkConfig = LightGlueStickConfig | GlueStickConfig

_FIXED = 20e6
_PER_NODE = 8_000
"""Bytes for each node of both images, with 256 channels."""

_PER_ASSIGNED = 4
"""For each pair of nodes of an assignment that is kept."""

_PER_NODE_PAIR = 25
"""For each pair of nodes where an assignment is made at once or put in another order."""

_PER_NODE_PAIR_IN_PIECES = 8
"""The same beyond what is made at once."""

_PER_LINE_PAIR = {"endpoints": 90, "same_line": 140, "guided": 540}
_PER_COMPARED = 720
"""For each pair of lines that the head ``same_line`` compares at a time."""


@dataclass(frozen=True, kw_only=True)
class PairCounts:
    """What the images of a pair have, or have at most.

    Attributes:
        nodes0: Keypoints and junctions of image 0.
        nodes1: Those of image 1.
        lines0: Lines of image 0.
        lines1: Those of image 1.
    """

    nodes0: int
    nodes1: int
    lines0: int
    lines1: int

    @classmethod
    def of(cls, wireframe0: Wireframe, wireframe1: Wireframe) -> "PairCounts":
        """Return what two wireframes have."""
        return cls(
            nodes0=wireframe0.keypoints.shape[1],
            nodes1=wireframe1.keypoints.shape[1],
            lines0=wireframe0.lines.shape[1],
            lines1=wireframe1.lines.shape[1],
        )

    def or_more(self, other: "PairCounts") -> "PairCounts":
        """Return the larger of each number of two pairs."""
        return PairCounts(
            nodes0=max(self.nodes0, other.nodes0),
            nodes1=max(self.nodes1, other.nodes1),
            lines0=max(self.lines0, other.lines0),
            lines1=max(self.lines1, other.lines1),
        )

    @property
    def node_pairs(self) -> int:
        """How many pairs of nodes there are."""
        return self.nodes0 * self.nodes1

    @property
    def line_pairs(self) -> int:
        """How many pairs of lines there are."""
        return self.lines0 * self.lines1


def matching_bytes(
    counts: PairCounts,
    *,
    network: NetworkConfig | None = None,
    pairs: int = 1,
    padded: bool = False,
    kept: int = 0,
) -> float:
    """Return an upper bound of what matching takes beyond the network and the wireframes.

    Args:
        counts: The largest numbers of any of the pairs.
        network: The configuration of what matches, or None for the hungriest.
        pairs: How many are matched at once.
        padded: Whether the images of a batch may have different numbers.
        kept: How many earlier assignments of the pair are kept meanwhile, as the search for views
            keeps them.

    Returns:
        Bytes.
    """
    head = network.line_head if isinstance(network, LightGlueStickConfig) else "endpoints"
    if network is None:
        head = "guided"
    node_pairs, line_pairs = pairs * counts.node_pairs, pairs * counts.line_pairs
    total = _FIXED + _PER_NODE * pairs * (counts.nodes0 + counts.nodes1)
    at_once = node_pairs
    if isinstance(network, LightGlueStickConfig) and not (padded or network.adapts):
        at_once = min(node_pairs, PIECE)
    total += _PER_NODE_PAIR * at_once + _PER_NODE_PAIR_IN_PIECES * (node_pairs - at_once)
    total += kept * _PER_ASSIGNED * node_pairs
    total += _PER_LINE_PAIR[head] * line_pairs
    return total + _PER_COMPARED * pairs * min(counts.line_pairs, PAIRS_AT_ONCE)
