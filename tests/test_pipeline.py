import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from line_truth import lines_agree
from safetensors.torch import save_file
from torch import Tensor

from gluestick.estimation import estimate_homography
from gluestick.export import read_features_h5, write_features_h5
from gluestick.export.arrays import wireframe_from_arrays
from gluestick.geometry.homography import homography_corner_error, transform_points
from gluestick.images import ResizeConfig, resize_image
from gluestick.images.load import load_image
from gluestick.images.rotation import turn_image
from gluestick.matching.gluestick import GlueStick
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import MODELS
from gluestick.timing import StageTimer
from gluestick.types import Matches, Wireframe
from gluestick.viewpoint.turns.relative_turn import RelativeTurnConfig
from gluestick.viewpoint.turns.turn_search import TurnSearchConfig
from gluestick.viewpoint.view_modes import view_of_rotation
from gluestick.wireframe.collate import split_wireframe
from gluestick.wireframe.thresholds import original_max_error

WALL_HEIGHT = 470
"""In graffiti_a.jpg, the painted wall ends here and the ground begins, px."""


def unpadded(matches: Matches, index: int, sizes: tuple[int, int, int, int]) -> dict[str, Tensor]:
    """Return the scores and matches of one pair of a batch without padding."""
    nodes0, nodes1, lines0, lines1 = sizes
    lengths = {"0": nodes0, "1": nodes1, "line0": lines0, "line1": lines1}
    return {
        field.name: getattr(matches, field.name)[
            index, : lengths[("line" if field.name.startswith("line") else "") + field.name[-1]]
        ]
        for field in dataclasses.fields(matches)
        if not field.name.endswith("assignment") and not field.name.startswith("line_pair")
    }


def test_quality_on_a_plane(assets: Path) -> None:
    """The painted wall is a plane with a known homography."""
    image0, image1 = load_image(assets / "graffiti_a.jpg"), load_image(assets / "graffiti_b.jpg")
    H_0to1 = np.loadtxt(assets / "graffiti_H_a_to_b.txt")
    wall = torch.zeros(image0.shape[1:], dtype=torch.bool)
    wall[:WALL_HEIGHT] = True
    matcher = PointLineMatcher.from_pretrained()
    wireframe0, wireframe1, matches = matcher(image0, image1, mask0=wall)

    points0, points1 = (
        points.double().numpy() for points in matches.matched_keypoints(wireframe0, wireframe1)
    )
    error = np.linalg.norm(transform_points(H_0to1, points0) - points1, axis=1)
    assert len(points0) >= 200
    assert np.mean(error < 3) > 0.8

    lines0, lines1 = (
        lines.double().numpy() for lines in matches.matched_lines(wireframe0, wireframe1)
    )
    assert len(lines0) >= 30
    assert np.mean(lines_agree(H_0to1, lines0, lines1)) > 0.7

    estimate = estimate_homography(points0, points1, lines0, lines1, max_error=3.0)
    assert estimate is not None
    corner_error = homography_corner_error(estimate.H_0to1, H_0to1, image_size=(800, 640))
    assert corner_error < 10


def test_enlarged_images_match_alike(assets: Path) -> None:
    """Beyond the size in which features are found, more pixels change next to nothing."""
    H_0to1 = np.loadtxt(assets / "graffiti_H_a_to_b.txt")
    size = ResizeConfig(size=640)
    resized = [
        resize_image(load_image(assets / f"graffiti_{side}.jpg"), config=size)[0] for side in "ab"
    ]
    half = np.array([[0.8, 0, -0.1], [0, 0.8, -0.1], [0, 0, 1]])
    H_0to1 = half @ H_0to1 @ np.linalg.inv(half)
    config = MODELS["aliked-lsd"].config
    config = dataclasses.replace(config, features=dataclasses.replace(config.features, resize=size))
    matcher = PointLineMatcher.from_pretrained(config=config, view="turn")
    counts, errors = [], []
    for factor in (1, 4):
        images = [
            F.interpolate(image[None], scale_factor=factor, mode="bicubic")[0].clamp(0, 1)
            for image in resized
        ]
        wireframe0, wireframe1, matches = matcher(*images)
        max_error = original_max_error(wireframe0, wireframe1, 3.0)
        assert max_error == pytest.approx(3.0 * factor)
        points = matches.matched_keypoints(wireframe0, wireframe1)
        lines = matches.matched_lines(wireframe0, wireframe1)
        estimate = estimate_homography(*points, *lines, max_error=max_error)
        assert estimate is not None
        offset = (factor - 1) / 2
        enlarging = np.array([[factor, 0, offset], [0, factor, offset], [0, 0, 1]])
        found = np.linalg.inv(enlarging) @ estimate.H_0to1 @ enlarging
        errors.append(homography_corner_error(found, H_0to1, image_size=(640, 512)))
        junctions = wireframe0.num_junctions.item(), wireframe1.num_junctions.item()
        inliers = estimate.point_inliers.sum() + estimate.line_inliers.sum()
        counts.append([*junctions, len(points[0]) + len(lines[0]), inliers])
    changes = np.abs(np.array(counts[1:]) / counts[0] - 1)
    assert changes.max() < 0.05
    assert max(errors) < 1.2 * errors[0]


def test_a_batch_gives_what_the_pairs_give(
    small_matcher: PointLineMatcher, leuven: tuple[Tensor, Tensor]
) -> None:
    """Pairs of different image sizes, one of them without any feature."""
    image0, image1 = (image[:, ::2, ::2] for image in leuven)
    pairs = [
        (image0, image1),
        (image1[:, :200], image0[:, :, 30:]),
        (torch.full((3, 64, 80), 0.5), image1),
    ]
    batch = small_matcher([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    for index, pair in enumerate(pairs):
        wireframe0, wireframe1, alone = small_matcher(*pair)
        sizes = (
            wireframe0.keypoints.shape[1],
            wireframe1.keypoints.shape[1],
            wireframe0.lines.shape[1],
            wireframe1.lines.shape[1],
        )
        expected, found = unpadded(alone, 0, sizes), unpadded(batch[2], index, sizes)
        for name, value in expected.items():
            if value.is_floating_point():
                assert torch.allclose(found[name], value, atol=1e-4), name
            else:
                assert torch.equal(found[name], value), name
        together = batch[2].matched_keypoints(batch[0], batch[1], index=index)
        for points, own in zip(
            together, alone.matched_keypoints(wireframe0, wireframe1), strict=True
        ):
            assert torch.equal(points, own)


def test_lines_do_not_change_the_points(
    small_matcher: PointLineMatcher, leuven: tuple[Tensor, Tensor]
) -> None:
    images = [image[:, ::2, ::2] for image in leuven]
    no_lines = torch.zeros(0, 2, 2)
    *without, matches = small_matcher(*images, lines0=no_lines, lines1=no_lines)
    points = matches.matched_keypoints(*without)
    *with_lines, matches = small_matcher(*images)
    assert with_lines[0].lines.shape[1] > 10
    assert len(points[0]) > 10
    for expected, found in zip(points, matches.matched_keypoints(*with_lines), strict=True):
        assert torch.equal(expected, found)


def test_features_computed_once_serve_many_pairs(
    small_matcher: PointLineMatcher, leuven: tuple[Tensor, Tensor]
) -> None:
    timer = StageTimer()
    both = small_matcher.extract([image[:, ::2, ::2] for image in leuven], timer=timer)
    wireframe0, wireframe1 = split_wireframe(both)
    matches = small_matcher.match(wireframe0, wireframe1, timer=timer)
    direct = small_matcher(*(image[:, ::2, ::2] for image in leuven))[2]
    assert torch.equal(matches.matches0, direct.matches0)
    assert torch.equal(matches.line_matches0, direct.line_matches0)
    assert list(timer.seconds) == ["keypoints", "lines", "wireframe", "matching"]


def test_lines_of_your_own_are_used(
    small_matcher: PointLineMatcher, leuven: tuple[Tensor, Tensor]
) -> None:
    lines = np.array([[[10.0, 20.0], [100.0, 25.0]], [[50.0, 60.0], [52.0, 160.0]]])
    wireframe0, wireframe1, matches = small_matcher(*leuven, lines0=lines, lines1=lines[:1])
    assert torch.equal(wireframe0.detected_lines[0], torch.from_numpy(lines).float())
    assert wireframe1.detected_lines.shape == (1, 1, 2, 2)
    assert matches.line_matches0.shape == (1, 2)


def test_arrays_and_grey_images_are_images(
    small_matcher: PointLineMatcher, leuven: tuple[Tensor, Tensor]
) -> None:
    grey = leuven[0].mean(0)[::2, ::2]
    as_tensor = small_matcher.extract(grey[None])
    as_array = small_matcher.extract(grey.numpy())
    assert torch.equal(as_tensor.keypoints, as_array.keypoints)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 64)])
def test_nothing_to_see_gives_nothing_of_the_same_rank(
    small_matcher: PointLineMatcher, size: tuple[int, int]
) -> None:
    blank = torch.full((3, *size), 0.5)
    wireframe0, wireframe1, matches = small_matcher(blank, blank)
    assert wireframe0.keypoints.shape == (1, 0, 2)
    assert wireframe0.lines.shape == (1, 0, 2, 2)
    assert matches.matches0.shape == (1, 0)
    assert matches.log_assignment.shape == (1, 1, 1)
    assert matches.line_log_assignment.shape == (1, 1, 1)
    assert matches.matched_lines(wireframe0, wireframe1)[0].shape == (0, 2, 2)


def test_a_mask_limits_points_and_lines(
    small_matcher: PointLineMatcher, leuven: tuple[Tensor, Tensor]
) -> None:
    mask = torch.zeros(leuven[0].shape[1:], dtype=torch.bool)
    mask[100:300, 200:500] = True
    wireframe = small_matcher.extract(leuven[0], masks=mask)
    assert wireframe.keypoints.shape[1] > 20
    assert wireframe.lines.shape[1] > 3
    for positions in (wireframe.keypoints[0], wireframe.detected_lines[0].flatten(0, 1)):
        column, row = positions.round().long().T
        assert mask[row, column].all()


def test_a_model_without_shipped_weights_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match="weights="):
        PointLineMatcher.from_pretrained("superpoint-lsd-gluestick")


def test_the_published_training_checkpoint_loads(
    tmp_path: Path, leuven: tuple[Tensor, Tensor]
) -> None:
    network = GlueStick(MODELS["superpoint-lsd-gluestick"].config.gluestick)
    path = tmp_path / "checkpoint_GlueStick_MD.tar"
    model = {f"matcher.module.{key}": value for key, value in network.state_dict().items()}
    torch.save({"model": {**model, "extractor.conv.weight": torch.zeros(1)}, "epoch": 3}, path)
    matcher = PointLineMatcher.from_pretrained("superpoint-lsd-gluestick", weights=path)
    loaded = matcher.network.state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in network.state_dict().items())
    with pytest.raises(ValueError, match="detector_weights"):
        matcher(*leuven)


def test_published_lightglue_weights_get_the_shipped_line_head(tmp_path: Path) -> None:
    expected = PointLineMatcher.from_pretrained().network.state_dict()
    lines = ("line_head.", "endp_matchability", "final_proj_line")
    published = {
        key: value for key, value in expected.items() if not any(name in key for name in lines)
    }
    save_file(published, tmp_path / "aliked_lightglue.safetensors")
    matcher = PointLineMatcher.from_pretrained(weights=tmp_path / "aliked_lightglue.safetensors")
    loaded = matcher.network.state_dict()
    assert loaded.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(loaded[key], value), key


def test_a_line_head_of_your_own_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    own = PointLineMatcher.from_pretrained().network.state_dict()
    own["line_head.score.0.bias"] += 1
    save_file(own, tmp_path / "own.safetensors")
    loaded = PointLineMatcher.from_pretrained(weights=tmp_path / "own.safetensors")
    assert torch.equal(
        loaded.network.state_dict()["line_head.score.0.bias"], own["line_head.score.0.bias"]
    )


def test_points_guide_more_lines_than_endpoints_find(assets: Path) -> None:
    """On the painted wall, guided lines are more often right than by their endpoints alone."""
    images = [load_image(assets / f"graffiti_{name}.jpg") for name in "ab"]
    H_0to1 = np.loadtxt(assets / "graffiti_H_a_to_b.txt")
    guided = MODELS["aliked-lsd"].config
    network = dataclasses.replace(
        guided.lightgluestick, line_head="endpoints", line_filter_threshold=0.3
    )
    right, precision = [], []
    for config in (guided, dataclasses.replace(guided, lightgluestick=network)):
        matcher = PointLineMatcher.from_pretrained(
            config=config, max_num_keypoints=512, view="none"
        )
        wireframe0, wireframe1, matches = matcher(*images)
        lines = [lines.double().numpy() for lines in matches.matched_lines(wireframe0, wireframe1)]
        on_wall = lines[0][:, :, 1].max(axis=1) < WALL_HEIGHT
        agreeing = lines_agree(H_0to1, lines[0][on_wall], lines[1][on_wall])
        right.append(agreeing.sum())
        precision.append(agreeing.mean())
    assert right[0] >= right[1]
    assert precision[0] > precision[1]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"kenc.encoder.0.weight": torch.zeros(32, 3, 1)}, path)
    with pytest.raises(ValueError, match="missing"):
        PointLineMatcher.from_pretrained(weights=path)


def test_another_detector_needs_other_weights() -> None:
    config = MODELS["aliked-lsd"].config
    points = dataclasses.replace(config.features.points, name="sift")
    features = dataclasses.replace(config.features, points=points)
    with pytest.raises(ValueError, match="trained for aliked"):
        PointLineMatcher.from_pretrained(config=dataclasses.replace(config, features=features))


@pytest.mark.parametrize(
    "image",
    [torch.full((3, 4, 4), float("nan")), torch.zeros(2, 4, 4), np.zeros((0, 4, 3), np.uint8)],
    ids=["nan", "two channels", "empty"],
)
def test_what_is_no_image_is_refused(
    small_matcher: PointLineMatcher, image: Tensor | np.ndarray
) -> None:
    with pytest.raises(ValueError, match="needs"):
        small_matcher.extract(image)


def test_unequal_batches_are_refused(
    small_matcher: PointLineMatcher, leuven: tuple[Tensor, Tensor]
) -> None:
    small = [image[:, ::4, ::4] for image in leuven]
    with pytest.raises(ValueError, match="same number"):
        small_matcher(small, small[:1])
    with pytest.raises(ValueError, match="masks"):
        small_matcher.extract(small, masks=[None])


def equal(found: Wireframe | Matches, expected: Wireframe | Matches) -> bool:
    """Whether all fields agree to the bit."""
    fields = [field.name for field in dataclasses.fields(expected)]
    return all(
        torch.equal(value, other) if isinstance(value, Tensor) else value == other
        for value, other in ((getattr(found, name), getattr(expected, name)) for name in fields)
    )


@pytest.fixture(scope="module")
def tiny(leuven: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Photographs of odd and even sizes, to be quick."""
    small = ResizeConfig(size=240)
    image0, image1 = (resize_image(image, config=small)[0] for image in leuven)
    return image0, image1[:, :, 1:]


@pytest.fixture
def seeking_matcher(
    small_matcher: PointLineMatcher, seeking: str, monkeypatch: pytest.MonkeyPatch
) -> PointLineMatcher:
    """Looks for views in one of the ways, quickly; "silent": without a confident vote."""
    rotation, _, votes = seeking.partition(", ")
    monkeypatch.setattr(small_matcher, "view", view_of_rotation(rotation))
    quick = TurnSearchConfig(size=200, max_num_keypoints=128, num_turns=4)
    monkeypatch.setattr(small_matcher, "turn_search", quick)
    if votes == "silent":
        never = RelativeTurnConfig(min_trust=99.0, min_inliers=10**6)
        monkeypatch.setattr(small_matcher, "relative_turn", never)
    return small_matcher


@pytest.mark.parametrize(
    ("seeking", "turn"),
    [
        ("none", 90.0),
        ("auto", 0.0),
        ("auto", 90.0),
        ("auto", 63.7),
        ("auto, silent", 115.0),
        ("exhaustive, silent", 180.0),
    ],
)
def test_step_by_step_a_pair_gives_what_the_call_gives(
    seeking_matcher: PointLineMatcher, tiny: tuple[Tensor, Tensor], turn: float, tmp_path: Path
) -> None:
    """Extract, find the view and extract in it, match: also after a stay on disk."""
    image0, image1 = tiny[0], turn_image(tiny[1], angle=turn)
    called0, called1, expected = seeking_matcher(image0, image1)
    wireframe0 = seeking_matcher.extract(image0)
    wireframe1 = seeking_matcher.extract_in_view(wireframe0, image0, image1)
    assert equal(wireframe0, called0)
    assert equal(wireframe1, called1)
    assert equal(seeking_matcher.match(wireframe0, wireframe1), expected)
    if seeking_matcher.rotation != "none":
        assert (wireframe1.views[0] is None) == (turn == 0)
        assert (expected.matches0 > -1).sum() > 20
    path = tmp_path / "features.h5"
    for name, wireframe in (("0", wireframe0), ("1", wireframe1)):
        write_features_h5(path, name, wireframe)
    stored = [wireframe_from_arrays(read_features_h5(path, name)) for name in "01"]
    assert stored[1].views == wireframe1.views
    assert equal(seeking_matcher.match(*stored), expected)


@pytest.mark.parametrize("seeking", ["none", "auto", "exhaustive, silent"])
def test_step_by_step_a_batch_gives_what_the_call_gives(
    seeking_matcher: PointLineMatcher, tiny: tuple[Tensor, Tensor]
) -> None:
    """Upright, turned and blank images of different sizes, with masks and lines of one's own."""
    image0, image1 = tiny
    images0 = [image0, image0, image0[:, :120]]
    images1 = [turn_image(image1, angle=-140.0), torch.full((3, 60, 50), 0.5), image1]
    mask0 = torch.ones(image0.shape[1:], dtype=torch.bool)
    mask0[:40] = False
    given0 = {"mask0": [mask0, None, None]}
    given1 = {
        "mask1": [None, None, torch.ones(image1.shape[1:], dtype=torch.bool)],
        "lines1": [None, np.zeros((0, 4)), np.array([[10.0, 20, 100, 30]])],
    }
    called0, called1, expected = seeking_matcher(images0, images1, **given0, **given1)
    wireframe0 = seeking_matcher.extract(images0, masks=given0["mask0"])
    wireframe1 = seeking_matcher.extract_in_view(wireframe0, images0, images1, **given0, **given1)
    assert equal(wireframe0, called0)
    assert equal(wireframe1, called1)
    assert equal(seeking_matcher.match(wireframe0, wireframe1), expected)
    turned = [view is not None for view in wireframe1.views]
    assert turned == [seeking_matcher.rotation != "none", False, False]


def test_a_view_is_found_for_an_image_as_it_is(
    small_matcher: PointLineMatcher, tiny: tuple[Tensor, Tensor]
) -> None:
    turned = small_matcher.extract(tiny[0], turns=[90.0])
    with pytest.raises(ValueError, match="extract image 0 without turns"):
        small_matcher.extract_in_view(turned, *tiny)
    wireframe0 = small_matcher.extract(tiny[0])
    with pytest.raises(ValueError, match="same number of images, found 1 and 2"):
        small_matcher.extract_in_view(wireframe0, tiny[0], [tiny[1]] * 2)
