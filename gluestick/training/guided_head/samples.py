"""What the line head learns from: pairs of photographs whose points are matched already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.synthetic_pairs import SyntheticPair
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.matching.line_heads.guidance import PointMatches, point_matches
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import DEFAULT_MODEL, model_card
from gluestick.supervision.line_truth import line_truth_from_homography
from gluestick.supervision.rules import TrueMatches
from gluestick.types import Matches, Wireframe


@dataclass(frozen=True, kw_only=True)
class LineHeadSample:
    """A batch of pairs as the line head sees it.

    Attributes:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        endpoint_similarity: [B, J0, J1], between their junctions.
        matches: The matches of their points.
        truth: The true matches of their lines.
    """

    wireframe0: Wireframe
    wireframe1: Wireframe
    endpoint_similarity: Tensor
    matches: PointMatches
    truth: TrueMatches


class LineHeadInput(NamedTuple):
    """What a network gives to its line head.

    Attributes:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        nodes: What is known about their nodes.
    """

    wireframe0: Wireframe
    wireframe1: Wireframe
    nodes: NodeAssignment


def load_point_matchers(budgets: Iterable[int]) -> list[PointLineMatcher]:
    """Load the default model with its untrained line head, once for each budget.

    Args:
        budgets: How many keypoints are kept per image.

    Returns:
        The matchers in evaluation mode on the CPU.
    """
    config = model_card(DEFAULT_MODEL).config
    config = replace(config, lightgluestick=replace(config.lightgluestick, line_head="endpoints"))
    return [
        PointLineMatcher.from_pretrained(config=config, max_num_keypoints=number)
        for number in budgets
    ]


def choose_pairs(
    pairs: Iterable[SyntheticPair], *, num_pairs: int, seed: int = 0
) -> list[SyntheticPair]:
    """Draw pairs of photographs that are not held out, from each folder equally often.

    Args:
        pairs: What to draw from.
        num_pairs: How many at most. A folder that has fewer than its share gives what it has.
        seed: Decides which.

    Returns:
        The pairs, of one folder after the other in turns.
    """
    rng = np.random.default_rng(seed)
    folders: dict[str, list[SyntheticPair]] = {}
    for pair in pairs:
        if not is_held_out(pair.path):
            folders.setdefault(str(pair.path.parent), []).append(pair)
    queues = [[own[index] for index in rng.permutation(len(own))] for own in folders.values()]
    longest = max(map(len, queues), default=0)
    rounds = [queue[place] for place in range(longest) for queue in queues if place < len(queue)]
    return rounds[:num_pairs]


def collect_samples(
    pairs: Iterable[SyntheticPair], matchers: Sequence[PointLineMatcher]
) -> list[LineHeadSample]:
    """Match the points of pairs.

    Args:
        pairs: The pairs.
        matchers: What matches them, each in its turn; their networks have a line head.

    Returns:
        A sample for each pair, on the device of its matcher. The network's descriptors, which a
        line head does not read, are left out.

    Raises:
        ValueError: If there is no matcher, one has no line head, or a photograph cannot be read.
    """
    if not matchers:
        raise ValueError("matching points needs at least one matcher, found none")
    samples = []
    for index, pair in enumerate(pairs):
        matcher = matchers[index % len(matchers)]
        found0, found1, given = match_points(matcher, *pair.load())
        samples.append(
            LineHeadSample(
                wireframe0=_without_descriptors(given.wireframe0),
                wireframe1=_without_descriptors(given.wireframe1),
                endpoint_similarity=given.nodes.endpoint_similarity,
                matches=point_matches(*given[:2], given.nodes.log_assignment),
                truth=line_truth_from_homography(
                    found0.detected_lines,
                    found1.detected_lines,
                    torch.from_numpy(pair.H_0to1)[None].to(found0.detected_lines.device),
                    image_size0=found0.image_size,
                    image_size1=found1.image_size,
                ),
            )
        )
    return samples


def match_points(
    matcher: PointLineMatcher, image0: Tensor, image1: Tensor
) -> tuple[Wireframe, Wireframe, LineHeadInput]:
    """Match two images, and return what the line head was given.

    Args:
        matcher: Its network has a line head.
        image0: [3, H, W] in [0, 1].
        image1: [3, H, W].

    Returns:
        The wireframes in px of the images, and what the line head was given: the same lines, in
        the view in which they were matched.

    Raises:
        ValueError: If the network has no line head.
    """
    network = matcher.network
    if not isinstance(network, LightGlueStick):
        raise ValueError(
            f"only LightGlueStick has a line head, found {type(network).__name__}: choose a model "
            "with network: lightgluestick"
        )
    given: list[LineHeadInput] = []
    tries: list[tuple[Matches, LineHeadInput]] = []

    def before_head(_: Any, arguments: tuple[Any, ...]) -> None:
        given.append(LineHeadInput(*arguments[: len(LineHeadInput._fields)]))

    def after_network(_: Any, __: Any, matches: Matches) -> None:
        tries.append((matches, given[-1]))

    hooks = (
        network.line_head.register_forward_pre_hook(before_head),
        network.register_forward_hook(after_network),
    )
    try:
        found0, found1, matches = matcher(image0, image1)
    finally:
        for hook in hooks:
            hook.remove()
    # A pair may be matched in several views, of which the matcher returns the best.
    kept = next(head_input for tried, head_input in tries if tried is matches)
    return found0, found1, kept


def _without_descriptors(wireframe: Wireframe) -> Wireframe:
    return replace(wireframe, descriptors=wireframe.descriptors[..., :0])
