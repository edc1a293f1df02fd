from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gluestick.benchmarks.run import stage_speed
from gluestick.benchmarks.run.stage_speed import Case, measure_stages, median_and_spread
from gluestick.images.load import load_image
from gluestick.pipeline import PointLineMatcher
from gluestick.timing import StageTimer

ASSETS = Path(__file__).parents[3] / "assets"
PHOTOGRAPHS = (ASSETS / "leuven_a.jpg", ASSETS / "leuven_b.jpg")


class Clock:
    """Shows the time that it was set to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Takes(nn.Module):
    """A part of a network that takes some seconds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def forward(self) -> None:
        self.clock.now += self.seconds


class FourLayers(nn.Module):
    """A network of four layers of a second each and a head of half a second."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.transformers = nn.ModuleList(Takes(clock, 1.0) for _ in range(4))
        self.line_head = Takes(clock, 0.5)

    def forward(self) -> None:
        for layer in (*self.transformers, self.line_head):
            layer()


class Scripted(nn.Module):
    """A matcher that finds what it is told, and takes 0.25 s of its own besides its network."""

    device = torch.device("cpu")

    def __init__(self, clock: Clock, network: nn.Module | None, *, found: Any) -> None:
        super().__init__()
        self.clock, self.network, self.found = clock, network, found
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, image0: Tensor, image1: Tensor, *, timer: StageTimer) -> Any:
        self.shapes.append((*image0.shape, *image1.shape))
        with timer.stage("matching"):
            self.clock.now += 0.25
            if self.network is not None:
                self.network()
        return self.found


@pytest.fixture(scope="module")
def nothing() -> Any:
    """What a matcher finds in two blank images."""
    matcher = PointLineMatcher.from_pretrained(view="none", max_num_keypoints=8)
    return matcher(torch.zeros(3, 32, 64), torch.zeros(3, 32, 64))


def test_stages_of_a_network_are_taken_out_of_matching(
    monkeypatch: pytest.MonkeyPatch, nothing: Any
) -> None:
    clock = Clock()
    monkeypatch.setattr(stage_speed, "CLOCKS", {"wall": clock})
    matchers: dict[str, Any] = {
        "deep": Scripted(clock, FourLayers(clock), found=nothing),
        "flat": Scripted(clock, None, found=nothing),
    }
    speeds = measure_stages(
        PHOTOGRAPHS,
        lambda case: matchers[case.name],
        names=["deep", "flat"],
        sizes=[(64, 32)],
        numbers=[8],
        repeat=2,
    )
    assert speeds.seconds[Case("deep", (64, 32), 8)] == {
        "loading": [0.0, 0.0],
        "matching": [0.25, 0.25],
        "layers 1-3": [3.0, 3.0],
        "layers 4-4": [1.0, 1.0],
        "line head": [0.5, 0.5],
        "estimation": [0.0, 0.0],
        "pictures": [0.0, 0.0],
    }
    assert "line head" not in speeds.seconds[Case("flat", (64, 32), 8)]
    for matcher in matchers.values():
        assert matcher.shapes == [(3, 32, 64, 3, 32, 64)] * 3  # a round that is not counted
    assert (speeds.device, speeds.threads) == ("cpu", torch.get_num_threads())


def test_photographs_are_cut_to_the_size(tmp_path: Path) -> None:
    files = [stage_speed._resized(path, tmp_path, (96, 96)) for path in PHOTOGRAPHS]
    whole, cut = load_image(PHOTOGRAPHS[0]), load_image(files[0])
    assert cut.shape == (3, 96, 96)
    assert files[0] != files[1]
    middle = whole[:, :, (751 - 563) // 2 : (751 + 563) // 2]
    assert (cut.mean((1, 2)) - middle.mean((1, 2))).abs().max() < 0.01


def test_no_round() -> None:
    with pytest.raises(ValueError, match="repeat needs to be at least 1, found 0"):
        measure_stages(PHOTOGRAPHS, lambda _: None, names=[], sizes=[], numbers=[], repeat=0)


def test_median_and_spread() -> None:
    assert median_and_spread([1.0, 2.0, 9.0, 3.0, 4.0]) == (3.0, 1.0)
