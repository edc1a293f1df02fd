from dataclasses import replace

import numpy as np
import pytest

from gluestick.export import read_matches_npz, write_matches_npz
from gluestick.export.arrays import wireframe_arrays, wireframe_from_arrays
from gluestick.pair_geometry import PairGeometry
from gluestick.types import Pose, ViewFrame

KEYS = {
    f"{key}{side}"
    for key in (
        "keypoints",
        "matches",
        "matching_scores",
        "lines",
        "line_matches",
        "line_matching_scores",
        "image_size",
        "num_junctions",
        "view",
        "view_homography",
        "view_size",
    )
    for side in (0, 1)
} | {"H_0to1", "F_0to1", "geometry", "trusted", "log10_false_alarms", "point_inliers"}


@pytest.fixture
def pair(wireframe_factory, matches_factory):
    wireframes = wireframe_factory([5, 0], [3, 0]), wireframe_factory([6, 2], [4, 1], seed=1)
    return (*wireframes, matches_factory(*wireframes))


def test_the_views_are_kept(tmp_path, pair):
    wireframe0, wireframe1, matches = pair
    zoom = ViewFrame(affine=((2.0, 0.5, -30.0), (0.0, 1.5, 12.0)), size=(300, 120))
    wireframe1 = replace(wireframe1, views=(zoom, None))
    write_matches_npz(tmp_path / "matches.npz", wireframe0, wireframe1, matches, index=0)
    found = read_matches_npz(tmp_path / "matches.npz")
    assert found["view0"].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert found["view_size0"].tolist() == [200, 100]
    assert found["view1"].tolist() == [list(row) for row in zoom.affine]
    assert found["view_size1"].tolist() == [300, 120]
    assert found["view_homography0"].tolist() == np.eye(3).tolist()
    assert found["view_homography1"].tolist() == zoom.matrix.tolist()


def test_views_in_perspective_are_kept(tmp_path, pair):
    wireframe0, wireframe1, matches = pair
    seen = ViewFrame(
        affine=((2.0, 0.5, -30.0), (0.0, 1.5, 12.0)), size=(300, 120), perspective=(0.01, 0.0, 1.0)
    )
    wireframe0 = replace(wireframe0, views=(seen, None))
    write_matches_npz(tmp_path / "matches.npz", wireframe0, wireframe1, matches, index=0)
    found = read_matches_npz(tmp_path / "matches.npz")
    assert found["view_homography0"].tolist() == seen.matrix.tolist()
    assert found["view0"].tolist() == seen.central_affine.tolist()
    assert wireframe_from_arrays(wireframe_arrays(wireframe0, index=0)).views == (seen,)


def test_round_trip(tmp_path, pair):
    wireframe0, wireframe1, matches = pair
    path = tmp_path / "matches.npz"
    H = np.diag([1.0, 2.0, 1.0])
    write_matches_npz(
        path,
        *pair,
        index=0,
        estimate=PairGeometry(
            geometry="homography",
            H_0to1=H,
            point_inliers=np.array([True, False, True]),
            line_inliers=np.array([False, True]),
            trusted=True,
            log10_false_alarms=-88.5,
        ),
    )
    found = read_matches_npz(path)
    assert set(found) == KEYS | {"line_inliers"}
    assert found["geometry"] == "homography"
    assert found["trusted"].dtype == bool
    assert found["trusted"]
    assert found["log10_false_alarms"] == -88.5
    assert np.isnan(found["F_0to1"]).all()
    assert found["matches0"].dtype == np.int64
    assert found["point_inliers"].dtype == bool
    assert found["image_size0"].tolist() == [200, 100]
    np.testing.assert_array_equal(found["H_0to1"], H)
    np.testing.assert_array_equal(found["lines1"], wireframe1.detected_lines[0].numpy())
    matched = found["matches0"] > -1
    points0, points1 = matches.matched_keypoints(wireframe0, wireframe1, index=0)
    np.testing.assert_array_equal(found["keypoints0"][matched], points0.numpy())
    np.testing.assert_array_equal(found["keypoints1"][found["matches0"][matched]], points1.numpy())
    with np.load(path, allow_pickle=False) as archive:
        assert set(archive.files) == KEYS | {"line_inliers"}


def test_lines_take_no_part_in_epipolar_geometry(tmp_path, pair):
    F, pose = np.diag([1.0, 2.0, 0.0]), Pose(R=np.eye(3), t=np.array([1.0, 0, 0]))
    estimate = PairGeometry(
        geometry="fundamental",
        F_0to1=F,
        E_0to1=2 * F,
        pose_0to1=pose,
        point_inliers=np.array([True, False, True]),
    )
    write_matches_npz(tmp_path / "m.npz", *pair, index=0, estimate=estimate)
    found = read_matches_npz(tmp_path / "m.npz")
    assert set(found) == KEYS | {"E_0to1", "R_0to1", "t_0to1"}
    assert found["geometry"] == "fundamental"
    assert not found["trusted"]
    np.testing.assert_array_equal(found["F_0to1"], F)
    np.testing.assert_array_equal(found["E_0to1"], 2 * F)
    np.testing.assert_array_equal(found["R_0to1"], pose.R)
    np.testing.assert_array_equal(found["t_0to1"], pose.t)
    assert np.isnan(found["H_0to1"]).all()


def test_files_without_a_verdict_are_read(tmp_path, pair):
    path = tmp_path / "m.npz"
    write_matches_npz(path, *pair, index=0)
    newer = {"F_0to1", "geometry", "trusted", "log10_false_alarms"}
    with np.load(path) as archive:
        earlier = {key: archive[key] for key in archive.files if key not in newer}
    np.savez(path, **earlier, line_inliers=np.zeros(2, bool))
    assert set(read_matches_npz(path)) == KEYS - newer | {"line_inliers"}


def test_nothing_found(tmp_path, pair):
    write_matches_npz(tmp_path / "m.npz", *pair, index=1)
    found = read_matches_npz(tmp_path / "m.npz")
    assert np.isnan(found["H_0to1"]).all()
    assert found["keypoints0"].shape == (0, 2)
    assert found["lines0"].shape == (0, 2, 2)
    assert found["point_inliers"].shape == (0,)
    assert "line_inliers" not in found
    assert found["geometry"] == "none"
    assert not found["trusted"]
    assert found["log10_false_alarms"] == np.inf


def test_inliers_are_false_without_an_estimate(tmp_path, pair):
    write_matches_npz(tmp_path / "m.npz", *pair, index=0)
    assert read_matches_npz(tmp_path / "m.npz")["point_inliers"].tolist() == [False] * 3


def test_junctions_apart(tmp_path, wireframe_factory, matches_factory):
    wireframe = wireframe_factory([4], [1])
    matches = matches_factory(wireframe, wireframe, apart=True)
    write_matches_npz(tmp_path / "m", wireframe, wireframe, matches)
    found = read_matches_npz(tmp_path / "m")
    assert found["junction_matches0"].tolist() == [-1] * 4
    assert set(found) - KEYS == {
        "junction_matches0",
        "junction_matches1",
        "junction_matching_scores0",
        "junction_matching_scores1",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"point_inliers": np.ones(5, bool)}, "point_inliers needs one entry for each of the 3"),
        ({"line_inliers": np.ones((2, 1), bool)}, "line_inliers needs the shape"),
        ({"H_0to1": np.eye(2)}, "H_0to1 needs the shape"),
        ({"index": 2}, "from 0 to 1"),
        ({"index": None}, "the batch has 2 pairs"),
    ],
)
def test_wrong_arguments_are_rejected(tmp_path, pair, options, message):
    index = options.get("index", 0)
    estimate = PairGeometry(**{key: options[key] for key in options if key != "index"})
    with pytest.raises(ValueError, match=message):
        write_matches_npz(tmp_path / "m.npz", *pair, index=index, estimate=estimate)
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_earlier_file(tmp_path, pair, monkeypatch):
    path = tmp_path / "m.npz"
    write_matches_npz(path, *pair, index=0)
    before = path.read_bytes()

    def fail(file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="No space left"):
        write_matches_npz(path, *pair, index=0)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_bad_files_are_one_clear_error(tmp_path, pair):
    path = tmp_path / "m.npz"
    with pytest.raises(ValueError, match="no file"):
        read_matches_npz(path)
    write_matches_npz(path, *pair, index=0)
    content = path.read_bytes()
    for damaged in (b"", b"text", content[:-30], content[: len(content) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="cannot be read as matches"):
            read_matches_npz(path)
    with path.open("wb") as file:
        np.savez(file, keypoints0=np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"matches1, .* are missing"):
        read_matches_npz(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="cannot be read as matches"):
        read_matches_npz(path)


def test_objects_are_not_unpickled(tmp_path):
    path = tmp_path / "m.npz"
    with path.open("wb") as file:
        np.savez(file, keypoints0=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_matches_npz(path)
