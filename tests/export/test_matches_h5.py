import h5py
import numpy as np
import pytest

from gluestick.export import (
    MatchesWriter,
    read_matches_h5,
    write_features_h5,
    write_matches_h5,
)


def arrays(**changes):
    return {"matches0": np.array([1, -1]), "matching_scores0": np.array([0.5, 0.1])} | changes


@pytest.fixture
def pair(wireframe_factory, matches_factory):
    wireframes = wireframe_factory([6], [3]), wireframe_factory([4], [5], seed=1)
    return (*wireframes, matches_factory(*wireframes))


def test_layout_is_hlocs(tmp_path, pair):
    wireframe0, wireframe1, matches = pair
    write_features_h5(tmp_path / "features.h5", "db/0.jpg", wireframe0)
    write_features_h5(tmp_path / "features.h5", "db/1.jpg", wireframe1)
    write_matches_h5(tmp_path / "matches.h5", "db/0.jpg", "db/1.jpg", *pair)
    with h5py.File(tmp_path / "matches.h5") as file, h5py.File(tmp_path / "features.h5") as points:
        group = file["db-0.jpg/db-1.jpg"]
        matches0 = group["matches0"].__array__()
        assert group["matching_scores0"].shape == matches0.shape
        index0 = np.where(matches0 != -1)[0]
        found0 = points["db/0.jpg"]["keypoints"].__array__()[index0]
        found1 = points["db/1.jpg"]["keypoints"].__array__()[matches0[index0]]
    expected0, expected1 = matches.matched_keypoints(wireframe0, wireframe1)
    assert len(expected0) == 2
    np.testing.assert_array_equal(found0, expected0.numpy())
    np.testing.assert_array_equal(found1, expected1.numpy())


@pytest.mark.parametrize("apart", [False, True])
def test_round_trip_of_a_padded_batch(tmp_path, wireframe_factory, matches_factory, apart):
    counts0, counts1 = [(5, 3), (0, 0), (7, 1)], [(6, 2), (4, 4), (1, 0)]
    wireframe0 = wireframe_factory(*map(list, zip(*counts0, strict=True)))
    wireframe1 = wireframe_factory(*map(list, zip(*counts1, strict=True)), seed=1)
    matches = matches_factory(wireframe0, wireframe1, apart=apart)
    path = tmp_path / "matches.h5"
    with MatchesWriter(path) as writer:
        for index in range(3):
            names = f"a/{index}", f"図/{index}"
            writer.add(*names, wireframe0, wireframe1, matches, index=index)
            assert names in writer
            assert names[::-1] in writer
    for index in range(3):
        found = read_matches_h5(path, f"a/{index}", f"図/{index}")
        assert len(found) == (12 if apart else 8)
        for key, value in found.items():
            counts = (counts0, counts1)[int(key[-1])][index]
            size = counts[1] if key.startswith("line") else counts[0]
            expected = getattr(matches, key)[index, :size].numpy()
            assert value.dtype == expected.dtype
            np.testing.assert_array_equal(value, expected, err_msg=key)


def test_turned_pair(tmp_path, pair):
    path = tmp_path / "matches.h5"
    write_matches_h5(path, "a", "b", *pair)
    forward, backward = read_matches_h5(path, "a", "b"), read_matches_h5(path, "b", "a")
    np.testing.assert_array_equal(forward["line_matches0"], backward["line_matches1"])
    np.testing.assert_array_equal(forward["matches1"], backward["matches0"])


def test_rewriting_replaces_the_pair_in_both_directions(tmp_path, pair):
    path = tmp_path / "matches.h5"
    write_matches_h5(path, "a", "b", *pair)
    write_matches_h5(path, "a", "c", *pair)
    with MatchesWriter(path) as writer:
        writer.add_arrays("b", "a", arrays())
    with h5py.File(path) as file:
        assert set(file) == {"a", "b"}
        assert set(file["a"]) == {"c"}
        assert set(file["b/a"]) == {"matches0", "matching_scores0"}
    with MatchesWriter(path) as writer:
        writer.add_arrays("a", "b", arrays())
        writer.add_arrays("b", "a", arrays())
        writer.add_arrays("a", "a", arrays())
    with h5py.File(path) as file:
        assert set(file["a"]) == {"a", "c"}
        assert set(file["b"]) == {"a"}


def test_pairs_that_differ_only_in_slashes_are_rejected(tmp_path):
    with MatchesWriter(tmp_path / "matches.h5") as writer:
        writer.add_arrays("a/b", "c", arrays())
        with pytest.raises(ValueError, match="rename one of the images"):
            writer.add_arrays("a-b", "c", arrays())


def test_pair_of_hloc_is_read_forwards(tmp_path):
    path = tmp_path / "hloc.h5"
    with h5py.File(path, "w", libver="latest") as file:
        group = file.create_group("a-0.jpg/b-1.jpg")
        group["matches0"] = np.array([3, -1], np.int16)
        group["matching_scores0"] = np.array([0.5, 0], np.float16)
    found = read_matches_h5(path, "a/0.jpg", "b/1.jpg")
    assert found["matches0"].dtype == np.int64
    assert found["matches0"].tolist() == [3, -1]
    with pytest.raises(ValueError, match="read them that way round"):
        read_matches_h5(path, "b/1.jpg", "a/0.jpg")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"matching_scores0": np.zeros(3)}, "matching_scores0 needs the shape"),
        ({"matches0": np.array([-2, 0])}, "found -2 to 0"),
        ({"matches1": np.zeros(1, int), "matching_scores1": np.zeros(1)}, "from -1 to 0"),
        ({"line_matches0": np.zeros((1, 1))}, "line_matches0"),
    ],
)
def test_wrong_arrays_are_rejected(tmp_path, changes, message):
    with (
        pytest.raises(ValueError, match=message),
        MatchesWriter(tmp_path / "matches.h5") as writer,
    ):
        writer.add_arrays("a", "b", arrays(**changes))
    assert list(tmp_path.iterdir()) == []


def test_empty_names_and_missing_arrays_are_rejected(tmp_path):
    with MatchesWriter(tmp_path / "matches.h5") as writer:
        with pytest.raises(ValueError, match="both images need a name"):
            writer.add_arrays("a", "", arrays())
        with pytest.raises(ValueError, match="need matching_scores0"):
            writer.add_arrays("a", "b", {"matches0": np.zeros(1)})


def test_other_wireframes_are_rejected(tmp_path, pair):
    wireframe0, wireframe1, matches = pair
    with pytest.raises(ValueError, match="give the wireframes that were matched"):
        write_matches_h5(tmp_path / "m.h5", "a", "b", wireframe1, wireframe0, matches)


def test_missing_pair_and_bad_file(tmp_path):
    path = tmp_path / "matches.h5"
    with pytest.raises(ValueError, match="no file"):
        read_matches_h5(path, "a", "b")
    with MatchesWriter(path) as writer:
        writer.add_arrays("a", "b", arrays())
        writer.flush()
    with pytest.raises(ValueError, match="no entry 'a/c'"):
        read_matches_h5(path, "a", "c")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="damaged"):
        read_matches_h5(path, "a", "b")
