import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from gluestick.benchmarks.run.rescoring import KeptScores, code_digest, digest
from gluestick.benchmarks.run.store import PairWriter


@dataclass(frozen=True)
class Truth:
    H: np.ndarray
    path: Path
    read: object = None


def truth(value: float = 1.0, path: str = "a", size: int = 3) -> Truth:
    reader = functools.partial(np.loadtxt, Path(path), ndmin=size)
    return Truth(H=np.full((size, 3), value), path=Path(path), read=reader)


def test_the_same_values_have_the_same_digest() -> None:
    def values() -> tuple:
        return ({"b": None, "a": [1, 2.5, "x"]}, truth(), torch.arange(3), np.bytes_(b"cpu"))

    assert digest(*values()) == digest(*values())
    assert len(digest()) == 16
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (truth(), truth(2.0)),
        (truth(), truth(path="b")),
        (truth(), truth(size=2)),
        (np.zeros(4), np.zeros((2, 2))),
        (np.zeros(2, np.float32), np.zeros(1)),
        (torch.zeros(2), torch.ones(2)),
        ([1, [2]], [[1], 2]),
        (["ab", "c"], ["a", "bc"]),
        ({"a": 1}, {"a": 1.5}),
        (np.loadtxt, np.savetxt),
        (object(), object()),
    ],
)
def test_other_values_have_another_digest(first: object, other: object) -> None:
    assert digest(first) != digest(other)


def test_the_code_enters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("a = 1")
    monkeypatch.setattr("gluestick.__file__", str(tmp_path / "__init__.py"))
    found = []
    for text in ("a = 1", "a = 2", "a = 1"):
        (tmp_path / "__init__.py").write_text(text)
        code_digest.cache_clear()
        found.append(digest("value"))
    code_digest.cache_clear()
    assert found[0] == found[2] != found[1]


def test_kept_scores_are_found_by_their_digest(tmp_path: Path) -> None:
    path = tmp_path / "results.h5"
    with KeptScores(path) as kept:
        assert kept.find("a", b"0123") is None
    with PairWriter(path, {"model": "a"}) as writer:
        writer.add("a", {"digest": np.bytes_(b"0123"), "value": 1.0})
        writer.add("old", {"value": 1.0})
    with KeptScores(path) as kept:
        assert kept.find("a", b"0123")["value"] == 1
        for name, mark in (("a", b"4567"), ("b", b"0123"), ("old", b"0123")):
            assert kept.find(name, mark) is None
    path.write_text("damaged")
    with KeptScores(path) as kept:
        assert kept.find("a", b"0123") is None
