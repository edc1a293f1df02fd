import dataclasses
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch

from gluestick.export import FeaturesWriter, read_features_h5, write_features_h5
from gluestick.export.arrays import wireframe_from_arrays
from gluestick.images.rotation import turned_frame


def arrays(num=3, **changes):
    return {
        "image_size": np.array([20, 10]),
        "keypoints": np.arange(2.0 * num).reshape(num, 2),
        **changes,
    }


def test_layout_is_hlocs(tmp_path, wireframe_factory):
    wireframe = wireframe_factory([5], [3])
    path = tmp_path / "features.h5"
    write_features_h5(path, "db/1.jpg", wireframe, uncertainty=2.5)
    with h5py.File(path, "r") as file:
        group = file["db/1.jpg"]
        keypoints = group["keypoints"]
        assert keypoints.dtype == np.float32
        assert keypoints.attrs.get("uncertainty") == 2.5
        np.testing.assert_array_equal(keypoints.__array__(), wireframe.keypoints[0].numpy())
        assert group["descriptors"].shape == (8, 5)
        assert group["scores"].shape == (5,)
        assert group["image_size"][()].tolist() == [200, 100]
        assert group.attrs["num_junctions"] == 2
        for dataset in group.values():  # hloc turns every dataset into a float tensor
            torch.from_numpy(dataset.__array__()).float()
        with_data = set()
        file.visititems(
            lambda _, item: (
                with_data.add(item.parent.name.strip("/"))
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
        assert with_data == {"db/1.jpg"}


def test_round_trip_of_a_padded_batch(tmp_path, wireframe_factory):
    counts = [(5, 3), (0, 0), (7, 1)]
    wireframe = wireframe_factory([n for n, _ in counts], [m for _, m in counts])
    path = tmp_path / "features.h5"
    names = ["a.jpg", "folder/b.jpg", "ordner/größe 図.jpg"]
    with FeaturesWriter(path) as writer:
        for index, name in enumerate(names):
            writer.add(name, wireframe, index=index)
            assert name in writer
        assert "missing.jpg" not in writer
    for index, (name, (num_nodes, num_lines)) in enumerate(zip(names, counts, strict=True)):
        found = read_features_h5(path, name)
        expected = {
            "image_size": wireframe.image_size[index],
            "keypoints": wireframe.keypoints[index, :num_nodes],
            "scores": wireframe.keypoint_scores[index, :num_nodes],
            "descriptors": wireframe.descriptors[index, :num_nodes].T,
            "num_junctions": wireframe.num_junctions[index],
            "lines": wireframe.detected_lines[index, :num_lines],
            "line_scores": wireframe.line_scores[index, :num_lines],
            "line_junctions": wireframe.line_junctions[index, :num_lines],
            "uncertainty": torch.tensor(1.0),
        }
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert found[key].dtype == value.numpy().dtype, key
            np.testing.assert_array_equal(found[key], value.numpy(), err_msg=key)


def test_the_view_of_an_image_is_kept_to_the_bit(tmp_path, wireframe_factory):
    views = (None, turned_frame((200, 100), angle=90.0), turned_frame((200, 100), angle=-37.3))
    wireframe = dataclasses.replace(wireframe_factory([4, 5, 3], [2, 1, 1]), views=views)
    path = tmp_path / "features.h5"
    with FeaturesWriter(path) as writer:
        for index in range(3):
            writer.add(str(index), wireframe, index=index)
    with h5py.File(path, "r") as file:
        assert set(file["0"].attrs) == {"num_junctions"}
        assert file["1"].attrs["view"].tolist() == [[0, -1, 99], [1, 0, 0]]
        assert file["1"].attrs["view_size"].tolist() == [100, 200]
    for index, view in enumerate(views):
        found = read_features_h5(path, str(index))
        assert wireframe_from_arrays(found).views == (view,)
        write_features_h5(tmp_path / "again.h5", str(index), found)
        again = read_features_h5(tmp_path / "again.h5", str(index))
        assert wireframe_from_arrays(again).views == (view,)


def test_the_scale_of_a_resized_image_is_kept_to_the_bit(tmp_path, wireframe_factory):
    wireframe = dataclasses.replace(wireframe_factory([4, 5], [2, 1]), scales=(1.0, 0.3))
    path = tmp_path / "features.h5"
    for index in (0, 1):
        write_features_h5(path, str(index), wireframe, index=index)
    assert "resize_scale" not in read_features_h5(path, "0")
    for index, scale in enumerate((1.0, 0.3)):
        assert wireframe_from_arrays(read_features_h5(path, str(index))).scales == (scale,)


def test_a_view_needs_its_map_and_its_size(tmp_path):
    view = {"view": np.eye(2, 3), "view_size": np.array([20, 10])}
    path = tmp_path / "features.h5"
    with pytest.raises(ValueError, match="view and view_size together"):
        write_features_h5(path, "x", arrays(view=view["view"]))
    with pytest.raises(ValueError, match=r"features\.view needs the shape"):
        write_features_h5(path, "x", arrays(**view | {"view": np.eye(3)}))
    assert not path.exists()


def test_what_was_read_can_be_written(tmp_path, wireframe_factory):
    write_features_h5(tmp_path / "a.h5", "x", wireframe_factory([4], [2]), uncertainty=3)
    first = read_features_h5(tmp_path / "a.h5", "x")
    write_features_h5(tmp_path / "b.h5", "x", first)
    second = read_features_h5(tmp_path / "b.h5", "x")
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], second[key])


def test_file_of_hloc_is_read(tmp_path):
    with h5py.File(tmp_path / "hloc.h5", "w", libver="latest") as file:
        group = file.create_group("x.jpg")
        group["keypoints"] = np.ones((3, 2), np.float16)
        group["scores"] = np.ones(3, np.float16)
        group["descriptors"] = np.ones((4, 3), np.float16)
        group["image_size"] = np.array([7, 5])
    found = read_features_h5(tmp_path / "hloc.h5", "x.jpg")
    assert set(found) == {"keypoints", "scores", "descriptors", "image_size"}
    assert found["keypoints"].dtype == np.float32


def test_second_session_extends_and_overwrites(tmp_path):
    path = tmp_path / "features.h5"
    large = arrays(num=50_000)
    with FeaturesWriter(path) as writer:
        writer.add("d/a", arrays(1))
        writer.add("d/b", large)
    size = path.stat().st_size
    for _ in range(3):
        with FeaturesWriter(path) as writer:
            writer.add("d/b", large | {"lines": np.zeros((2, 2, 2))})
            writer.add("d/c", arrays(2))
    assert len(read_features_h5(path, "d/a")["keypoints"]) == 1
    assert len(read_features_h5(path, "d/b")["lines"]) == 2
    assert len(read_features_h5(path, "d/c")["keypoints"]) == 2
    assert path.stat().st_size < size + 20_000  # replaced images leave no dead space
    write_features_h5(path, "d/b", arrays(1))
    assert "lines" not in read_features_h5(path, "d/b")


def test_session_without_images_writes_nothing(tmp_path):
    path = tmp_path / "features.h5"
    with FeaturesWriter(path) as writer:
        writer.flush()
    assert not path.exists()


def test_error_in_the_session_keeps_what_was_flushed(tmp_path):
    path = tmp_path / "features.h5"
    write_features_h5(path, "a", arrays())

    def interrupted_session():
        with FeaturesWriter(path) as writer:
            writer.add("b", arrays())
            writer.flush()
            writer.flush()
            writer.add("c", arrays())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_session()
    read_features_h5(path, "a")
    read_features_h5(path, "b")
    with pytest.raises(ValueError, match="no entry 'c'"):
        read_features_h5(path, "c")
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "features.h5"
    write_features_h5(path, "a", arrays())
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(h5py.Group, "create_dataset", fail)
    with pytest.raises(OSError, match="No space left"):
        write_features_h5(path, "a", arrays())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


FULL_DISK = """
import resource, signal, sys
import numpy as np
from gluestick.export import write_features_h5
path, num = sys.argv[1], int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for num in (num, 12_000):
    try:
        write_features_h5(path, "b", {"image_size": np.ones(2), "keypoints": np.ones((num, 2))})
    except OSError:
        print("refused")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files through Linux")
def test_full_disk(tmp_path):
    path = tmp_path / "features.h5"
    write_features_h5(path, "a", arrays(1000))
    before = path.read_bytes()
    # 11 300 points fit alone, but not together with what was there before.
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), "11300"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert result.stdout.split() == ["refused", "refused"]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_nest_are_rejected(tmp_path):
    path = tmp_path / "features.h5"
    write_features_h5(path, "folder/a.jpg", arrays())
    for name, message in (
        ("folder", "folder of other entries"),
        ("folder/a.jpg/b", "lies within the entry 'folder/a.jpg'"),
        ("", "at least one character"),
        ("/", "at least one character"),
        ("a\0b", "NUL"),
    ):
        with pytest.raises(ValueError, match=message):
            write_features_h5(path, name, arrays())
    read_features_h5(path, "folder/a.jpg")


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"keypoints": np.zeros((1, 2))}, "need image_size"),
        (arrays(keypoints=np.zeros((3, 3))), "keypoints"),
        (arrays(scores=np.zeros(4)), "scores"),
        (arrays(descriptors=np.zeros((3, 128))), "descriptors"),
        (arrays(lines=np.zeros((1, 4))), "lines"),
        (arrays(lines=np.zeros((1, 2, 2)), line_junctions=np.array([[0, 3]])), "from 0 to 2"),
    ],
)
def test_wrong_arrays_are_rejected(tmp_path, features, message):
    with pytest.raises(ValueError, match=message):
        write_features_h5(tmp_path / "f.h5", "a", features)
    assert list(tmp_path.iterdir()) == []


def test_index_is_needed_for_a_batch(tmp_path, wireframe_factory):
    wireframe = wireframe_factory([3, 3], [1, 1])
    with pytest.raises(ValueError, match="the batch has 2 images"):
        write_features_h5(tmp_path / "f.h5", "a", wireframe)
    with pytest.raises(ValueError, match="from 0 to 1, found 2"):
        write_features_h5(tmp_path / "f.h5", "a", wireframe, index=2)


def test_bad_files_are_one_clear_error(tmp_path):
    path = tmp_path / "features.h5"
    with pytest.raises(ValueError, match="no file"):
        read_features_h5(path, "a")
    path.write_text("not HDF5")
    with pytest.raises(ValueError, match="not an HDF5 file"):
        read_features_h5(path, "a")
    with pytest.raises(ValueError, match="not an HDF5 file"):
        write_features_h5(path, "a", arrays())
    assert path.read_text() == "not HDF5"
    path.unlink()
    write_features_h5(path, "folder/a", arrays())
    for name in ("folder", "b", "", "folder/a/keypoints"):
        with pytest.raises(ValueError, match="no entry"):
            read_features_h5(path, name)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("scores", np.zeros(9), "scores needs the shape"),
        ("keypoints", np.full((3, 2), np.nan), "NaN"),
        ("keypoints", np.array(b"text"), "needs numbers"),
        ("image_size", None, "need image_size"),
    ],
)
def test_inconsistent_entry_is_one_clear_error(tmp_path, key, value, message):
    path = tmp_path / "features.h5"
    write_features_h5(path, "a", arrays())
    with h5py.File(path, "a") as file:
        if key in file["a"]:
            del file["a"][key]
        if value is not None:
            file["a"][key] = value
    with pytest.raises(ValueError, match=message):
        read_features_h5(path, "a")


def test_damaged_files_never_raise_anything_else(tmp_path, wireframe_factory):
    path = tmp_path / "features.h5"
    write_features_h5(path, "folder/a", wireframe_factory([6], [4]))
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for trial in range(150):
        damaged = bytearray(content)
        if trial < 50:
            damaged = damaged[: rng.integers(len(content))]
        else:
            for position in rng.integers(len(content), size=20):
                damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_features_h5(path, "folder/a")
        except ValueError:
            refused += 1
    assert refused > 75
