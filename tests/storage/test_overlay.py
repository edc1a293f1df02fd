import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from gluestick.storage.overlay import Overlay, apply_change, sizes_of_change
from gluestick.storage.raw_file import RawFile


def test_the_overlay_is_a_file(tmp_path: Path) -> None:
    """Random reads and writes give what they give in memory, and change nothing before."""
    rng = np.random.default_rng(0)
    for trial in range(40):
        expected = bytearray(rng.bytes(int(rng.integers(3000))))
        path = tmp_path / str(trial)
        path.write_bytes(expected)
        before = bytes(expected)
        file = RawFile(path)
        overlay = Overlay(file)
        for _ in range(30):
            start, data = int(rng.integers(len(expected) + 1)), rng.bytes(int(rng.integers(1500)))
            overlay.seek(start)
            assert overlay.write(bytearray(data)) == len(data)
            expected[start : start + len(data)] = data
            start, size = (int(part) for part in rng.integers(len(expected) + 1, size=2))
            overlay.seek(start)
            found = expected[start : start + size]
            assert overlay.read(size) == bytes(found) + bytes(size - len(found))
        assert overlay.seek(0, os.SEEK_END) == overlay.tell() == len(expected)
        assert overlay.error is None
        assert path.read_bytes()[: len(before)] == before
        end = len(expected) + int(rng.integers(10))
        overlay.truncate(end)
        change = overlay.change()
        assert sizes_of_change(change) == (file.size, end)
        for _ in range(2):
            apply_change(file, change)
        file.close()
        assert path.read_bytes() == bytes(expected) + bytes(end - len(expected))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_hdf5_never_sees_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(5)
    before = path.read_bytes()
    file = RawFile(path)
    overlay = Overlay(file)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(file, "write_at", fail)
    with h5py.File(overlay, "r+") as content:
        content["y"] = np.arange(5000)
    assert overlay.error is error
    monkeypatch.setattr(file, "read_at", fail)
    overlay.seek(0)
    assert overlay.read(3) == bytes(3)
    file.close()
    assert path.read_bytes() == before
