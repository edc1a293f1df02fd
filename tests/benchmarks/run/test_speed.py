import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from benchmarks.report.test_tables import cells
from torch import Tensor

from gluestick.benchmarks.run.speed import Speed, measure_speed, speed_table
from gluestick.benchmarks.tasks.protocol import Pair
from gluestick.timing import StageTimer


class Images:
    """A benchmark of which only the images are needed."""

    def load(self, pair: Pair) -> tuple[Tensor, Tensor]:
        return torch.zeros(3, 4, 4), torch.zeros(3, 4, 4)


def sleeper(name: str, seconds: float, calls: list[str]) -> Callable[..., None]:
    def match(image0: Tensor, image1: Tensor, *, timer: StageTimer) -> None:
        with timer.stage("matching"):
            time.sleep(seconds * (5 if name not in calls else 1))
        calls.append(name)

    return match


def test_matchers_take_turns_and_the_first_run_does_not_count() -> None:
    calls: list[str] = []
    matchers = {"slow": sleeper("slow", 0.04, calls), "fast": sleeper("fast", 0.01, calls)}
    pairs = [Pair(name=str(index)) for index in range(3)]
    speed = measure_speed(Images(), pairs, matchers, device=torch.device("cpu"))
    assert calls == ["slow", "fast"] * 4
    assert speed.num_pairs == 3
    assert speed.device == "cpu"
    assert 0.04 <= speed.total("slow") < 0.15
    assert speed.total("fast") < 0.75 * speed.total("slow")


def test_the_table_says_how_times_compare() -> None:
    seconds = {"ours": {"keypoints": 0.5, "lines": 0.5}, "theirs": {"keypoints": 2.0}}
    speed = Speed(num_pairs=3, seconds=seconds, device="cpu", threads=1)
    header, _, first, second = cells(speed_table(speed, reference="theirs"))
    assert header == ["", "keypoints", "lines", "total", "speed against theirs"]
    assert first == ["ours", "0.500", "0.500", "1.00", "2.00 x"]
    assert second == ["theirs", "2.000", "-", "2.00", "1.00 x"]
    assert len(cells(speed_table(speed, reference="others"))[0]) == 4


def test_nothing_to_time(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        measure_speed(Images(), [], {}, device=torch.device("cpu"))
