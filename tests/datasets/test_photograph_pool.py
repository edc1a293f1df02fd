import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluestick.datasets.photograph_pool import PhotographPool


def write(path: Path, value: int) -> None:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((6, 8, 3), value, np.uint8))


def test_weights_and_seeds(tmp_path: Path) -> None:
    write(tmp_path / "a" / "0.png", 0)
    write(tmp_path / "b" / "1.png", 100)
    write(tmp_path / "c" / "2.png", 200)
    names = ["a/0.png", "b/1.png", "c/2.png"]
    pool = PhotographPool(tmp_path, names, weights={"a": 3, "c": 0})
    rng = np.random.default_rng(0)
    drawn = [int(pool.draw(rng)[0, 0, 0]) for _ in range(400)]
    assert set(drawn) == {0, 100}
    assert drawn.count(0) == pytest.approx(300, abs=40)
    again = np.random.default_rng(0)
    assert drawn[:20] == [int(pool.draw(again)[0, 0, 0]) for _ in range(20)]


def test_damaged_files_are_named_once_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "good.png", 50)
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    pool = PhotographPool(tmp_path, ["broken.jpg", "good.png"])
    rng = np.random.default_rng(1)
    with caplog.at_level(logging.WARNING):
        assert {int(pool.draw(rng)[0, 0, 0]) for _ in range(10)} == {50}
    assert [record.message for record in caplog.records if "broken.jpg" in record.message]
    assert len(caplog.records) == 1
    only = PhotographPool(tmp_path, ["broken.jpg"])
    with pytest.raises(ValueError, match=r"broken\.jpg"):
        only.draw(rng)


def test_held_out_photographs_are_left_out(tmp_path: Path) -> None:
    for index in range(60):
        write(tmp_path / f"{index}.png", index)
    trained, held_out = (
        PhotographPool.in_folder(tmp_path, held_out=which) for which in (False, True)
    )
    assert len(trained) + len(held_out) == 60
    assert 0 < len(held_out) < len(trained)
    assert not set(trained.names) & set(held_out.names)


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one photograph"):
        PhotographPool(tmp_path, [])
    with pytest.raises(ValueError, match="'b'"):
        PhotographPool(tmp_path, ["a/0.png"], weights={"b": 1})
    with pytest.raises(ValueError, match="all 0"):
        PhotographPool(tmp_path, ["a/0.png"], weights={"a": 0})
