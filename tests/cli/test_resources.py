from collections.abc import Iterator

import cv2
import pytest
import torch

from gluestick.cli import resources
from gluestick.cli.resources import idle_processors, use_threads


@pytest.fixture(autouse=True)
def _threads_stay() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def test_threads_are_those_asked_for() -> None:
    assert use_threads(2) == 2
    assert torch.get_num_threads() == 2
    for number in (0, 100_000):
        with pytest.raises(
            ValueError, match=f"--threads needs to be from 1 to 1024, found {number}"
        ):
            use_threads(number)


def test_the_environment_has_a_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    torch.set_num_threads(3)
    assert use_threads(None) == 3


def test_busy_processors_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {*range(8)}, raising=False)
    monkeypatch.setattr(resources.Path, "read_text", lambda *_, **__: "max 100000")
    for others, expected in ((0.0, 8), (3.0, 5), (50.0, 1)):
        monkeypatch.setattr(resources, "_others_running", lambda others=others: others)
        assert idle_processors() == expected
    assert use_threads(None) == 1
