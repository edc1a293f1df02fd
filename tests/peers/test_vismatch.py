import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from rendered_scenes import patchwork

from gluestick.peers import load_peer
from gluestick.peers.vismatch import VismatchMatcher
from gluestick.timing import StageTimer


class FakeMatcher(torch.nn.Module):
    """Matches the corners of both images, and detects their centres besides."""

    def __init__(self, confidences: list[float] | None) -> None:
        super().__init__()
        self.device = "cpu"
        self.skip_ransac = False
        self.confidences = confidences

    def forward(self, image0: torch.Tensor, image1: torch.Tensor) -> dict[str, Any]:
        assert self.skip_ransac
        result: dict[str, Any] = {"num_inliers": 0, "matched_confidences": None}
        for side, image in enumerate((image0, image1)):
            height, width = image.shape[1:]
            corners = np.array([[0, 0], [width - 1, 0], [0, height - 1]], dtype=np.float32)
            centre = np.array([[width / 2 - 0.5, height / 2 - 0.5]], dtype=np.float32)
            result[f"matched_kpts{side}"] = corners
            result[f"all_kpts{side}"] = np.concatenate([centre, corners[::-1]])
        if self.confidences is not None:
            result["matched_confidences"] = np.array(self.confidences, dtype=np.float32)
        return result


class DenseMatcher(FakeMatcher):
    """Tells no keypoints but those it matched, here none."""

    def forward(self, image0: torch.Tensor, image1: torch.Tensor) -> dict[str, Any]:
        nothing = np.zeros((0, 2), np.float32)
        return {
            "matched_kpts0": nothing,
            "matched_kpts1": nothing,
            "matched_confidences": nothing[:, 0],
            "all_kpts0": None,
            "all_kpts1": None,
        }


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Install a fake vismatch and record what its matchers are asked for."""
    asked: list[dict[str, Any]] = []
    module: Any = ModuleType("vismatch")
    matchers = {
        "corners": lambda: FakeMatcher([0.5, 2.0, 0.0]),
        "sure": lambda: FakeMatcher(None),
        "dense": lambda: DenseMatcher(None),
    }
    module.available_models = list(matchers)

    def get_matcher(name: str, device: str, **kwargs: Any) -> FakeMatcher:
        asked.append(kwargs)
        return matchers[name]()

    module.get_matcher = get_matcher
    monkeypatch.setitem(sys.modules, "vismatch", module)
    return asked


def test_matched_keypoints_come_first_by_confidence(budgets: list[dict[str, Any]]) -> None:
    matcher = load_peer("vismatch:corners", max_num_keypoints=100)
    assert isinstance(matcher, VismatchMatcher)
    assert not matcher.training
    assert matcher.to(torch.device("cpu")).device == torch.device("cpu")
    assert budgets == [{"max_num_keypoints": 100}]
    timer = StageTimer()
    wireframe0, wireframe1, matches = matcher(patchwork(40, 60), patchwork(30, 50), timer=timer)
    assert list(timer.seconds) == ["matching"]
    assert wireframe0.keypoints.tolist() == [[[59, 0], [0, 0], [0, 39], [29.5, 19.5]]]
    assert wireframe1.image_size.tolist() == [[50, 30]]
    assert matches.matches0.tolist() == [[0, 1, 2, -1]]
    torch.testing.assert_close(matches.matching_scores0, torch.tensor([[1.0, 0.25, 1e-6, 0.0]]))
    _, points1 = matches.matched_keypoints(wireframe0, wireframe1)
    assert points1.tolist() == [[49, 0], [0, 0], [0, 29]]
    assert matches.line_log_assignment.shape == (1, 1, 1)
    assert matches.log_assignment.shape == (1, 5, 5)


def test_the_budget_holds_where_the_matcher_ignores_it(budgets: list[dict[str, Any]]) -> None:
    matcher = load_peer("vismatch:corners", max_num_keypoints=2)
    wireframe0, _, matches = matcher(patchwork(40, 60), patchwork(40, 60))
    assert wireframe0.keypoints.tolist() == [[[59, 0], [0, 0]]]
    assert matches.matches0.tolist() == [[0, 1]]


def test_coordinates_are_those_of_the_original_image(budgets: list[dict[str, Any]]) -> None:
    """At half the size the centre of the first pixel is at 0.5 px of the original."""
    matcher = load_peer("vismatch:sure")
    wireframe0, _, matches = matcher(patchwork(1024, 2048), patchwork(40, 60))
    assert wireframe0.keypoints[0, 0].tolist() == [0.5, 0.5]
    assert wireframe0.keypoints[0, 1].tolist() == [2046.5, 0.5]
    assert (matches.matching_scores0[0, :3] == 1).all()


def test_a_batch_gives_what_the_pairs_give(budgets: list[dict[str, Any]]) -> None:
    images0, images1 = [patchwork(40, 60), patchwork(20, 30)], [patchwork(30, 50)] * 2
    matcher = load_peer("vismatch:corners")
    wireframe0, _, matches = matcher(images0, images1)
    for row, pair in enumerate(zip(images0, images1, strict=True)):
        alone = matcher(*pair)
        torch.testing.assert_close(wireframe0.keypoints[row], alone[0].keypoints[0])
        torch.testing.assert_close(matches.matches0[row], alone[2].matches0[0])


def test_no_match_at_all(budgets: list[dict[str, Any]]) -> None:
    _, _, matches = load_peer("vismatch:dense")(patchwork(40, 60), patchwork(40, 60))
    assert matches.matches0.shape == (1, 0)


def test_what_it_cannot_do_is_an_error(budgets: list[dict[str, Any]]) -> None:
    matcher, image = load_peer("vismatch:corners"), patchwork(20, 20)
    with pytest.raises(ValueError, match="no masks and no lines"):
        matcher(image, image, mask0=torch.ones(20, 20, dtype=torch.bool))
    with pytest.raises(ValueError, match="same number of images, found 1 and 2"):
        matcher(image, [image, image])
    with pytest.raises(ValueError, match="no matcher 'unknown'; it has: corners, sure, dense"):
        load_peer("vismatch:unknown")


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vismatch", None)
    with pytest.raises(ValueError, match="pip install vismatch"):
        load_peer("vismatch:corners")
