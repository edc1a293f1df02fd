from pathlib import Path

import h5py
import numpy as np
import pytest
from stored_pairs import read_configuration, read_names, read_pair

from gluestick.benchmarks.run.store import PairWriter

CONFIGURATION = {"model": "a", "max_num_lines": None, "settings": {"seed": 0, "size": [4, 3]}}


def write(path: Path, *names: str) -> None:
    with PairWriter(path, CONFIGURATION) as writer:
        for number, name in enumerate(names):
            writer.add(name, {"points/scores": np.arange(number), "value": float("inf")})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "pairs.h5"
    names = ["b/1 2.jpg", "a%2F", "ü#0", "b"]
    write(path, *names)
    assert read_names(path) == sorted(names)
    assert read_configuration(path) == CONFIGURATION
    arrays = read_pair(path, "ü#0")
    assert set(arrays) == {"points/scores", "value"}
    np.testing.assert_array_equal(arrays["points/scores"], [0, 1])
    assert arrays["value"] == np.inf


def test_entries_are_kept_and_added(tmp_path: Path) -> None:
    path = tmp_path / "pairs.h5"
    write(path, "a")
    with PairWriter(path, CONFIGURATION) as writer:
        assert "a" in writer
        assert "b" not in writer
        writer.add("b", {"value": 1.0})
        assert "b" in writer
    assert read_names(path) == ["a", "b"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_was_added_before_an_error_is_kept(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "pairs.h5"

    def add_and_stop() -> None:
        with PairWriter(path, CONFIGURATION) as writer:
            writer.add("a", {"value": 1.0})
            raise error("stop")

    with pytest.raises(error, match="stop"):
        add_and_stop()
    assert read_names(path) == ["a"]


def test_half_an_entry_is_never_kept(tmp_path: Path) -> None:
    path = tmp_path / "pairs.h5"
    with PairWriter(path, CONFIGURATION) as writer:
        writer.add("a", {"value": 1.0})
        with pytest.raises(TypeError):
            writer.add("b", {"value": 1.0, "nothing": object()})
        assert "b" not in writer
    assert read_names(path) == ["a"]


def test_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.h5"
    write(path, "a")
    other = CONFIGURATION | {"model": "b"}
    with pytest.raises(ValueError, match="model was 'a' and is now 'b'"), PairWriter(path, other):
        pass


def test_missing_files_and_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.h5"
    with pytest.raises(ValueError, match="no file"):
        read_names(path)
    write(path, "a")
    with pytest.raises(ValueError, match="no entry"):
        read_pair(path, "b")


def test_no_pair_at_all(tmp_path: Path) -> None:
    path = tmp_path / "pairs.h5"
    write(path)
    assert read_names(path) == []
    assert read_configuration(path) == CONFIGURATION


@pytest.mark.parametrize("kind", ["text", "truncated", "foreign", "not json"])
def test_damage_is_one_clear_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "pairs.h5"
    write(path, "a")
    if kind == "text":
        path.write_text("not HDF5")
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:700])
    elif kind == "foreign":
        with h5py.File(path, "w") as file:
            file["something"] = 1
    else:
        with h5py.File(path, "r+") as file:
            file["run"].attrs["configuration"] = "{"
    with (
        pytest.raises(ValueError, match=r"pairs\.h5"),
        PairWriter(path, CONFIGURATION),
    ):
        pass
