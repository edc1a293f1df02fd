import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from posed_scenes import (
    CAMERA,
    pair_line,
    points_in_space,
    prediction,
    projections,
    rotation,
    save_image,
)

from gluestick.benchmarks.tasks.posed.pose import PoseBenchmark, PoseBenchmarkConfig
from gluestick.geometry.distortion import distort_points
from gluestick.types import Pose

NUM_POINTS = 80


def benchmark(
    folder: Path, *, quarters: tuple[int, int] = (0, 0), orientations: tuple[int, int] = (1, 1)
) -> PoseBenchmark:
    for side, orientation in enumerate(orientations):
        save_image(folder / "images" / f"{side}.png", orientation=orientation, seed=side)
    (folder / "pairs_with_gt.txt").write_text(pair_line("0.png", "1.png", quarters=quarters))
    return PoseBenchmark(folder)


@pytest.mark.parametrize(
    ("quarters", "orientations", "turns"),
    [
        ((0, 0), (1, 1), (0, 0)),
        ((1, 3), (1, 1), (270, 90)),
        ((0, 2), (6, 1), (90, 180)),
        ((3, 0), (6, 8), (90, 270)),  # the list goes before EXIF
    ],
)
def test_true_matches_of_turned_images_give_the_true_pose(
    tmp_path: Path,
    quarters: tuple[int, int],
    orientations: tuple[int, int],
    turns: tuple[int, int],
) -> None:
    own = benchmark(tmp_path, quarters=quarters, orientations=orientations)
    (pair,) = own.pairs()
    images = own.load(pair)
    found = prediction(projections(points_in_space(NUM_POINTS)), turns=turns)
    for image, side in zip(images, (0, 1), strict=True):
        assert (image.shape[2], image.shape[1]) == tuple(found[f"image_size{side}"])
    scores = own.score(pair, found)
    assert scores["poselib/pose_error"] < 0.05
    assert scores["opencv/pose_error"] < 0.5
    assert scores["epipolar_precision@5e-4"] == 1
    assert scores["num_matches"] == NUM_POINTS
    figures = own.summarize([scores])
    assert figures["poselib/auc@5"] > 0.98
    assert set(own.headline) <= set(figures)


def test_ignoring_the_turn_would_show(tmp_path: Path) -> None:
    own = benchmark(tmp_path, quarters=(0, 1))
    (pair,) = own.pairs()
    scores = own.score(pair, prediction(projections(points_in_space(NUM_POINTS)), turns=(0, 0)))
    assert scores["epipolar_precision@5e-4"] < 0.2
    assert scores["poselib/pose_error"] > 5


def test_precision_counts_normalised_distances(tmp_path: Path) -> None:
    own = benchmark(tmp_path)
    (pair,) = own.pairs()
    points0, points1 = projections(points_in_space(100))
    points1[:25] += (0.0, 5.0)
    scores = own.score(pair, prediction((points0, points1)))
    assert scores["epipolar_precision@5e-4"] == 0.75
    assert scores["points/right"].tolist() == [False] * 25 + [True] * 75


def test_principal_points_from_the_corner(tmp_path: Path) -> None:
    benchmark(tmp_path)
    rolled = Pose(R=rotation(2, 90), t=np.array([-0.7, 0.1, 0.2]))
    (tmp_path / "pairs_with_gt.txt").write_text(pair_line("0.png", "1.png", pose=rolled))
    points0, points1 = projections(points_in_space(NUM_POINTS), rolled)
    found = prediction((points0 - 0.5, points1 - 0.5))  # the cameras are from the corner
    precisions = []
    for corner_origin in (False, True):
        own = PoseBenchmark(tmp_path, PoseBenchmarkConfig(corner_origin=corner_origin))
        precisions.append(own.score(own.pairs()[0], found)["epipolar_precision@5e-4"])
    assert precisions[0] < 0.3
    assert precisions[1] == 1


@pytest.mark.parametrize("known", [True, False])
def test_points_of_a_lens_are_undistorted(tmp_path: Path, known: bool) -> None:
    distortion = (-0.35, 0.08, 0.004, -0.003)
    own = benchmark(tmp_path)
    if known:
        lenses = {"0.png": {"distortion": distortion}, "1.png": {"distortion": distortion}}
        (tmp_path / "cameras.json").write_text(json.dumps(lenses))
    lens = replace(CAMERA, distortion=distortion)
    points = projections(points_in_space(NUM_POINTS))
    (pair,) = own.pairs()
    scores = own.score(
        pair, prediction((distort_points(points[0], lens), distort_points(points[1], lens)))
    )
    assert (scores["poselib/pose_error"] < 0.1) == known
    assert (scores["opencv/pose_error"] < 0.5) == known
    assert (scores["epipolar_precision@5e-4"] == 1) == known


@pytest.mark.parametrize("number", [0, 1])
def test_without_an_estimate(tmp_path: Path, number: int) -> None:
    own = benchmark(tmp_path)
    (pair,) = own.pairs()
    scores = own.score(pair, prediction(projections(points_in_space(number))))
    assert scores["poselib/pose_error"] == scores["opencv/pose_error"] == np.inf
    assert own.summarize([scores])["poselib/auc@20"] == 0
    assert np.isnan(own.summarize([])["poselib/auc@20"])


def test_a_folder_of_folders(tmp_path: Path) -> None:
    for scene in ("a", "b"):
        benchmark(tmp_path / scene)
    (tmp_path / "c").mkdir()
    pairs = PoseBenchmark(tmp_path).pairs()
    assert [pair.name for pair in pairs] == ["a/0.png|1.png", "b/0.png|1.png"]
    assert [pair.groups for pair in pairs] == [{"scene": "a"}, {"scene": "b"}]


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder"):
        PoseBenchmark(tmp_path / "missing").pairs()
    with pytest.raises(ValueError, match="needs a list of pairs"):
        PoseBenchmark(tmp_path).pairs()
    own = benchmark(tmp_path)
    line = pair_line("0.png", "1.png")
    (tmp_path / "pairs_with_gt.txt").write_text(f"{line}\n{line}\n")
    with pytest.raises(ValueError, match="twice"):
        own.pairs()
    (tmp_path / "pairs_with_gt.txt").write_text(pair_line("0.png", "2.png"))
    with pytest.raises(ValueError, match=r"no image 2\.png"):
        own.pairs()
    with pytest.raises(ValueError, match="opencv_max_error"):
        PoseBenchmarkConfig(opencv_max_error=0)
