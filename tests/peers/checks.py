"""What holds for the matches of every peer."""

import torch

from gluestick.matching.protocols import MatchingNetwork
from gluestick.types import Matches, Wireframe
from gluestick.wireframe.collate import stack_wireframes


def assert_consistent(matches: Matches, wireframe0: Wireframe, wireframe1: Wireframe) -> None:
    """Matches are mutual, join keypoints only, and have scores in [0, 1]."""
    sides = ((matches.matches0, matches.matches1), (matches.line_matches0, matches.line_matches1))
    for forth, back in sides:
        for row, column in (forth > -1).nonzero().tolist():
            assert back[row, forth[row, column]] == column
        assert (forth > -1).sum() == (back > -1).sum()
    for side, wireframe in ((0, wireframe0), (1, wireframe1)):
        unmatchable = wireframe.junction_mask | ~wireframe.keypoint_mask
        assert (getattr(matches, f"matches{side}")[unmatchable] == -1).all()
        assert (getattr(matches, f"junction_matches{side}") == -1).all()
        for name in (f"matching_scores{side}", f"line_matching_scores{side}"):
            scores = getattr(matches, name)
            assert ((scores >= 0) & (scores <= 1)).all()
    for assignment in (matches.log_assignment, matches.line_log_assignment):
        assert (assignment <= 0).all()
        assert (assignment[:, -1, -1] == 0).all()


def assert_batch_gives_singles(
    network: MatchingNetwork, pairs: list[tuple[Wireframe, Wireframe]]
) -> None:
    """Compare a padded batch with its pairs one by one."""
    batch = network(*(stack_wireframes(side) for side in zip(*pairs, strict=True)))
    for row, pair in enumerate(pairs):
        alone = network(*pair)
        for side in (0, 1):
            for prefix in ("", "line_"):
                for name in (f"{prefix}matches{side}", f"{prefix}matching_scores{side}"):
                    expected = getattr(alone, name)[0]
                    found = getattr(batch, name)[row]
                    torch.testing.assert_close(found[: len(expected)], expected)
                    padding = -1 if name.endswith(f"matches{side}") else 0
                    assert (found[len(expected) :] == padding).all()
