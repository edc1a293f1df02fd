from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gluestick
from gluestick import PairResult, PointLineMatcher
from gluestick.images.load import load_image
from gluestick.viewpoint.view_modes import VIEWS

BUDGETS = {"max_num_keypoints": 128, "max_num_lines": 40}
K = np.array([[400.0, 0, 187], [0, 400.0, 140], [0, 0, 1]])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> list[Path]:
    folder = tmp_path_factory.mktemp("photographs")
    for letter in "ab":
        with Image.open(assets / f"leuven_{letter}.jpg") as image:
            image.resize((375, 281)).save(folder / f"{letter}.png")
    return [folder / "a.png", folder / "b.png"]


@pytest.fixture(scope="module")
def result(files: list[Path]) -> PairResult:
    return gluestick.match(*files, camera0=K, camera1=K, **BUDGETS)


def test_everything_about_a_pair_comes_as_arrays(result: PairResult) -> None:
    count, num_lines = len(result.points0), len(result.lines0)
    assert 20 < count <= 128
    assert 3 < num_lines <= 40
    for name, shape in {
        "points0": (count, 2),
        "points1": (count, 2),
        "scores": (count,),
        "lines0": (num_lines, 2, 2),
        "lines1": (num_lines, 2, 2),
        "line_scores": (num_lines,),
        "point_inliers": (count,),
        "F_0to1": (3, 3),
        "E_0to1": (3, 3),
    }.items():
        assert isinstance(getattr(result, name), np.ndarray), name
        assert getattr(result, name).shape == shape
    assert (result.image_size0, result.image_size1) == ((375, 281), (375, 281))
    assert result.geometry != "none"
    assert result.trusted
    assert result.pose_0to1 is not None
    assert 0 < result.scores.min() <= result.scores.max() <= 1


def test_first_ends_correspond(result: PairResult) -> None:
    """The photographs are upright, so corresponding ends lie on the same side."""
    directions = [lines[:, 1] - lines[:, 0] for lines in (result.lines0, result.lines1)]
    assert np.mean((directions[0] * directions[1]).sum(axis=1) > 0) > 0.9


def test_every_kind_of_image_gives_the_same(files: list[Path], result: PairResult) -> None:
    small = PointLineMatcher.from_pretrained(**BUDGETS)
    pixels = [np.asarray(Image.open(path)) for path in files]
    mirrored = [np.ascontiguousarray(image[:, ::-1])[:, ::-1] for image in pixels]
    kinds = [
        [str(path) for path in files],
        [Image.open(path) for path in files],
        mirrored,
        [load_image(path).requires_grad_() for path in files],
    ]
    for kind in kinds:
        again = gluestick.match(*kind, model=small)
        np.testing.assert_array_equal(again.points1, result.points1)
        np.testing.assert_array_equal(again.lines1, result.lines1)


def test_masks_lines_and_views_are_taken(files: list[Path], tmp_path: Path) -> None:
    mask = np.zeros((281, 375), np.uint8)
    mask[:, :200] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    lines = np.array([[[20.0, 20.0], [20.0, 120.0]]])
    result = gluestick.match(
        *files, mask0=tmp_path / "mask.png", lines0=lines, view="none", device="cpu", **BUDGETS
    )
    assert result.points0[:, 0].max() < 200
    assert result.wireframe0.detected_lines.shape == (1, 1, 2, 2)
    assert result.wireframe1.views == (None,)


def test_blank_images_have_an_empty_result() -> None:
    result = gluestick.match(np.zeros((64, 80)), np.zeros((64, 80)), **BUDGETS)
    assert result.points0.shape == result.points1.shape == (0, 2)
    assert result.lines1.shape == (0, 2, 2)
    assert result.geometry == "none"
    assert not result.trusted


def test_errors(files: list[Path]) -> None:
    with pytest.raises(ValueError, match=r"cv2\.imread"):
        gluestick.match(None, files[1], **BUDGETS)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one image1, found several"):
        gluestick.match(files[0], torch.zeros(2, 3, 8, 8), **BUDGETS)
    with pytest.raises(ValueError, match="no model 'other'"):
        gluestick.match(*files, model="other")
    matcher = PointLineMatcher.from_pretrained(**BUDGETS)
    with pytest.raises(ValueError, match="need a model by its name"):
        gluestick.match(*files, model=matcher, view="none")


def test_views_and_devices_of_a_matcher() -> None:
    for view in VIEWS:
        matcher = PointLineMatcher.from_pretrained(view=view, device="cpu")  # type: ignore[arg-type]
        assert matcher.view == view
    assert PointLineMatcher.from_pretrained().view == "auto"
    with pytest.raises(ValueError, match="turns, auto, exhaustive, found 'upright'"):
        PointLineMatcher.from_pretrained(view="upright")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'abacus'"):
        PointLineMatcher.from_pretrained(device="abacus")


def test_a_matcher_of_parts_looks_for_views_as_its_configuration_does(
    small_matcher: PointLineMatcher,
) -> None:
    matcher = PointLineMatcher(
        extractor=None, wireframe=small_matcher.wireframe, network=small_matcher.network
    )
    assert matcher.view == "auto"


def test_a_matcher_takes_paths_and_generators(
    files: list[Path], small_matcher: PointLineMatcher
) -> None:
    alone = small_matcher(*files)
    batch = small_matcher((path for path in files), (Image.open(path) for path in files[::-1]))
    assert batch[2].matches0.shape[0] == 2
    count = alone[2].matches0.shape[1]
    assert torch.equal(batch[2].matches0[0, :count], alone[2].matches0[0])
    assert torch.equal(
        small_matcher.extract(files[0]).keypoints, small_matcher.extract([files[0]]).keypoints
    )
