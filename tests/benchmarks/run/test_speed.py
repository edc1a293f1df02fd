import pytest
import torch
from torch import Tensor

from gluestick.benchmarks.run.speed import Speed, measure_speed
from gluestick.benchmarks.tasks.protocol import Pair
from gluestick.timing import StageTimer


class Images:
    """A benchmark of which only the images are needed."""

    def load(self, pair: Pair) -> tuple[Tensor, Tensor]:
        number = float(pair.name)
        return torch.full((3, 4, 4), number), torch.full((3, 4, 4), number + 0.5)


class Scripted:
    """Takes the seconds that it is told to, one entry for each call."""

    def __init__(
        self, name: str, log: list[tuple[str, float, float]], *seconds: dict[str, float], on: str
    ) -> None:
        self.name, self.log, self.seconds = name, log, list(seconds)
        self.device = torch.device(on)

    def __call__(self, image0: Tensor, image1: Tensor, *, timer: StageTimer) -> None:
        self.log.append((self.name, float(image0.mean()), float(image1.mean())))
        timer.seconds.update(self.seconds.pop(0))


def measured() -> tuple[Speed, list[tuple[str, float, float]]]:
    log: list[tuple[str, float, float]] = []
    slow = [{"lines": seconds, "matching": 1.0} for seconds in (90.0, 4.0, 2.0, 7.0)]
    fast = [{"matching": seconds} for seconds in (90.0, 0.5, 0.25, 0.125)]
    matchers = {
        "slow": Scripted("slow", log, *slow, on="meta"),
        "fast": Scripted("fast", log, *fast, on="cpu"),
    }
    return measure_speed(Images(), [Pair(name=name) for name in "012"], matchers), log


def test_medians_leave_the_first_run_out() -> None:
    speed, _ = measured()
    assert speed.num_pairs == 3
    assert speed.seconds == {"slow": {"lines": 4.0, "matching": 1.0}, "fast": {"matching": 0.25}}
    assert speed.total("slow") == 5.0
    assert speed.total("fast") == 0.25


def test_matchers_take_turns_on_the_same_images() -> None:
    _, log = measured()
    pairs = [(0.0, 0.5), (0.0, 0.5), (1.0, 1.5), (2.0, 2.5)]  # the first one twice
    assert log == [(name, *images) for images in pairs for name in ("slow", "fast")]


def test_devices_are_those_of_the_matchers() -> None:
    speed, _ = measured()
    assert speed.device == "meta, cpu"
    assert speed.threads == torch.get_num_threads()


def test_nothing_to_time() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        measure_speed(Images(), [], {})
