from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from line_scenes import arc_of_cameras, line_scene, nearest_segments, segments_in_space

from gluestick.export import FeaturesReader, FeaturesWriter, MatchesWriter
from gluestick.geometry.distortion import distort_points
from gluestick.reconstruction.lines import LineMapConfig
from gluestick.reconstruction.lines.making import line_map_record, make_lines
from gluestick.reconstruction.lines.stored import line_views
from gluestick.types import Camera

pycolmap = pytest.importorskip("pycolmap")

SEGMENTS = segments_in_space(20)
SCENE = line_scene(SEGMENTS, arc_of_cameras(4))
NAMES = [view.name for view in SCENE.views]
PAIRS = list(combinations(NAMES, 2))
SIZE = (320, 240)
LENS = Camera(K=SCENE.views[0].K, distortion=(-0.1, 0.02, 0.001, -0.002))


@pytest.fixture
def model() -> Any:
    """The scene's cameras, whose lens distorts."""
    K = LENS.K
    params = [K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5, *LENS.distortion[:4]]
    made = pycolmap.Reconstruction()
    camera = pycolmap.Camera(
        model="OPENCV", width=SIZE[0], height=SIZE[1], params=params, camera_id=1
    )
    made.add_camera_with_trivial_rig(camera)
    for number, view in enumerate(SCENE.views, 1):
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(view.pose.R), view.pose.t)
        image = pycolmap.Image(name=view.name, camera_id=1, image_id=number)
        made.add_image_with_trivial_frame(image, pose)
    return made


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Features and matches of the scene, as the lens shows it."""
    paths = tmp_path / "features.h5", tmp_path / "matches.h5"
    with FeaturesWriter(paths[0]) as features:
        for view in SCENE.views:
            arrays = {
                "image_size": np.array(SIZE),
                "keypoints": np.zeros((1, 2), np.float32),
                "lines": distort_points(view.lines, LENS).astype(np.float32),
                "resize_scale": np.array(0.5),
            }
            features.add(view.name, arrays)
    with MatchesWriter(paths[1]) as matches:
        for each in SCENE.matches:
            one_to_one = np.full(len(SEGMENTS), -1)
            own = each.pairs[: len(SEGMENTS) // 2]
            one_to_one[own[:, 0]] = own[:, 1]
            likely = np.linspace(0.2, 1, len(SEGMENTS)).astype(np.float32)
            arrays = {
                "matches0": np.array([-1]),
                "matching_scores0": np.zeros(1, np.float32),
                "line_matches0": one_to_one,
                "line_matching_scores0": np.ones(len(SEGMENTS), np.float32),
                "line_pairs": each.pairs,
                "line_pair_probabilities": likely,
                "line_pair_overlaps": likely,
            }
            matches.add_arrays(NAMES[each.view0], NAMES[each.view1], arrays)
    return paths


def made(model: Any, files: tuple[Path, Path], output: Path, **changes: Any) -> Any:
    options = {"model_digest": "a", "config": LineMapConfig()} | changes
    return make_lines(model, *files, PAIRS, output, **options)


def test_views_are_without_distortion(model: Any, files: tuple[Path, Path]) -> None:
    with FeaturesReader(files[0]) as features:
        views = line_views(model, features)
    assert [view.name for view in views] == NAMES
    for found, true in zip(views, SCENE.views, strict=True):
        assert found.pixel == 2.0
        rays, expected = (
            np.linalg.solve(view.K, np.append(view.lines[0, 1], 1.0)) for view in (found, true)
        )
        assert rays == pytest.approx(expected, abs=1e-5)


def test_stored_matches_become_lines(model: Any, files: tuple[Path, Path], tmp_path: Path) -> None:
    found = made(model, files, tmp_path / "out")
    nearest, distances = nearest_segments(found, SEGMENTS)
    assert len(np.unique(nearest)) == len(found) > 14
    assert distances.max() < 0.01
    record = line_map_record(found)
    assert record["num_lines"] == len(found)
    assert sum(record["track_lengths"].values()) == len(found)
    assert record["mean_track_length"] == pytest.approx(found.num_views.mean(), abs=1e-4)
    assert record["mean_reprojection_error"] < 0.01


def test_what_is_there_is_not_made_again(
    model: Any, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(model, files, tmp_path / "out")
    strict = LineMapConfig(max_uncertainty=float(np.median(first.uncertainties)) / 5)
    fewer = made(model, files, tmp_path / "out", config=strict)
    assert 0 < len(fewer) < len(first)
    monkeypatch.setattr("gluestick.reconstruction.lines.making.make_line_map", None)
    again = made(model, files, tmp_path / "out", config=strict)
    assert again.observations.tolist() == fewer.observations.tolist()
    with pytest.raises(TypeError):
        made(model, files, tmp_path / "out", model_digest="b")


def test_a_map_without_lines_has_figures(
    model: Any, files: tuple[Path, Path], tmp_path: Path
) -> None:
    found = make_lines(
        model, *files, [], tmp_path / "out", model_digest="a", config=LineMapConfig()
    )
    record = line_map_record(found)
    assert record["num_lines"] == 0
    assert record["mean_reprojection_error"] is None
    assert (tmp_path / "out" / "lines.json").is_file()
