import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluestick.bridges.limap.line_matches import line_matches
from gluestick.export import FeaturesWriter, MatchesWriter

pycolmap = pytest.importorskip("pycolmap")

NAMES = ("db/a.png", "db/b.png", "c.png")
PAIRS = {
    "line_matches0": np.array([1, -1, 0]),
    "line_matching_scores0": np.array([0.7, 0.2, 0.9], np.float32),
    "line_pairs": np.array([[0, 0], [0, 1], [1, 1], [2, 0], [2, 1]]),
    "line_pair_probabilities": np.array([0.3, 0.8, 0.6, 0.9, 0.2], np.float32),
    "line_pair_overlaps": np.ones(5, np.float32),
}


def model(*, distortion: float = 0.0, num_points: int = 4) -> Any:
    """Three images by one camera, numbered 2, 5 and 9."""
    made = pycolmap.Reconstruction()
    camera = pycolmap.Camera(
        model="SIMPLE_RADIAL", width=64, height=48, params=[60, 32, 24, distortion]
    )
    camera.camera_id = 1
    made.add_camera_with_trivial_rig(camera)
    for number, name in zip((2, 5, 9), NAMES, strict=True):
        image = pycolmap.Image(
            name=name, keypoints=np.full((num_points, 2), 8.0), camera_id=1, image_id=number
        )
        made.add_image_with_trivial_frame(image, pycolmap.Rigid3d())
    return made


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Three images with three lines that meet in two of four nodes, and two of their pairs."""
    lines = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    features = {
        "image_size": np.array([64, 48]),
        "keypoints": np.arange(8, dtype=np.float32).reshape(4, 2),
        "num_junctions": np.array(3),
        "lines": lines,
        "line_scores": np.ones(3, np.float32),
        "line_junctions": np.array([[0, 1], [1, 2], [2, 2]]),
    }
    matches = PAIRS | {
        "matches0": np.full(4, -1),
        "matching_scores0": np.zeros(4, np.float32),
    }
    paths = tmp_path / "features.h5", tmp_path / "matches.h5"
    with FeaturesWriter(paths[0]) as writer:
        for name in NAMES:
            writer.add(name, features)
    with MatchesWriter(paths[1]) as writer:
        writer.add_arrays(NAMES[0], NAMES[1], matches)
        few = {key: array for key, array in matches.items() if not key.startswith("line_pair")}
        writer.add_arrays(NAMES[0], NAMES[2], few)
    return paths


@pytest.fixture
def write(other_programs: Path, files: tuple[Path, Path], tmp_path: Path):
    structures = import_module("gluestick.bridges.limap.structures")

    def run(own: Any, **options: int) -> tuple[dict, Any]:
        path = tmp_path / "structures.db"
        returned = structures.write_structures(path, own, *files, **options)
        return json.loads(path.read_text()), returned

    return run


def test_lines_junctions_and_matches_are_handed_over(write) -> None:
    stored, _ = write(model())
    assert list(stored["structures"]) == ["2", "5", "9"]
    first = stored["structures"]["2"]
    assert first["num_points"] == 4
    assert first["lines"][1] == [4.5, 5.5, 6.5, 7.5]
    assert first["edges"] == [[0, 0, 1], [1, 0, 1], [1, 1, 1], [2, 1, 1], [2, 2, 1]]
    assert stored["matches"] == {"2 5": [[0, 1], [2, 0]], "2 9": [[0, 1], [2, 0]]}


def test_a_model_with_other_keypoints_has_no_junctions(write) -> None:
    stored, _ = write(model(num_points=0))
    assert stored["structures"]["5"]["edges"] == []


def test_lines_and_model_are_undistorted(write) -> None:
    own = model(distortion=-0.2)
    stored, pinholes = write(own)
    camera = pinholes.cameras[1]
    assert (camera.model_name, camera.params.tolist()) == ("PINHOLE", [60, 60, 32, 24])
    assert own.cameras[1].model_name == "SIMPLE_RADIAL"
    seen = np.array(stored["structures"]["2"]["lines"]).reshape(-1, 2)
    rays = np.column_stack([(seen - [32, 24]) / 60, np.ones(len(seen))])
    detected = np.arange(12).reshape(-1, 2) + 0.5
    np.testing.assert_allclose(own.cameras[1].img_from_cam(rays), detected, atol=1e-4)
    assert np.abs(seen - detected).max() > 1
    point = pinholes.images[5].points2D[0].xy
    ray = np.append((point - [32, 24]) / 60, 1)
    np.testing.assert_allclose(own.cameras[1].img_from_cam(ray), [8, 8], atol=1e-4)


def test_an_error_leaves_no_database(write, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no pairs of lines many to many"):
        write(model(), topk=2)  # the second pair holds none
    assert not (tmp_path / "structures.db").exists()


def test_many_to_many_takes_the_most_likely_of_each_line() -> None:
    pairs, scores = line_matches(PAIRS, topk=1)
    assert pairs.tolist() == [[0, 1], [1, 1], [2, 0]]
    np.testing.assert_allclose(scores, [0.8, 0.6, 0.9])
    pairs, _ = line_matches(PAIRS, topk=10)
    assert pairs.tolist() == [[0, 1], [0, 0], [1, 1], [2, 0], [2, 1]]
    with pytest.raises(ValueError, match="topk needs a number from 0, found -1"):
        line_matches(PAIRS, topk=-1)
