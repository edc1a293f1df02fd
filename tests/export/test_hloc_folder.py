import multiprocessing
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gluestick.export import (
    FeaturesWriter,
    MatchesWriter,
    export_hloc_folder,
    read_features_h5,
    read_matches_h5,
    write_features_h5,
)
from gluestick.export.hloc_folder import HlocFolder
from gluestick.pipeline import PointLineMatcher

PAIR = ("a.png", "b.png")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    """``a.png`` and ``b.png``, and ``turned.png``, which is ``b.png`` turned by 90 degrees."""
    folder = tmp_path_factory.mktemp("photographs")
    for letter in "ab":
        with Image.open(assets / f"leuven_{letter}.jpg") as image:
            image.resize((375, 281)).save(folder / f"{letter}.png")
    with Image.open(folder / "b.png") as image:
        image.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png")
    return folder


@pytest.fixture
def folder(photographs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(photographs, tmp_path / "photographs"))


@pytest.fixture
def export(small_matcher: PointLineMatcher, folder: Path, tmp_path: Path) -> Callable:
    def run(*pairs: tuple[str, str], model: str = "small", **options) -> HlocFolder:
        matcher = options.pop("matcher", small_matcher)
        return export_hloc_folder(matcher, folder, pairs, tmp_path / "out", model=model, **options)

    return run


def counts(written: HlocFolder, *pair: str) -> tuple[int, int]:
    matches = read_matches_h5(written.matches, *pair)
    return int((matches["matches0"] > -1).sum()), int((matches["line_matches0"] > -1).sum())


def with_rotation(matcher: PointLineMatcher, rotation: str) -> PointLineMatcher:
    return PointLineMatcher(
        extractor=matcher.extractor,
        wireframe=matcher.wireframe,
        network=matcher.network,
        rotation=rotation,
    ).eval()


def test_turned_photographs_match_as_upright_ones(export: Callable) -> None:
    written = export(PAIR, ("a.png", "turned.png"))
    assert (written.num_images, written.num_pairs, written.num_new_pairs) == (3, 2, 2)
    upright, turned = counts(written, *PAIR), counts(written, "a.png", "turned.png")
    assert upright == turned
    assert upright[0] > 40
    assert upright[1] > 5
    features = read_features_h5(written.features, "turned.png")
    assert features["image_size"].tolist() == [281, 375]
    assert features["view_size"].tolist() == [375, 281]
    assert "view" not in read_features_h5(written.features, "b.png")


def test_without_rotation_turned_photographs_stay(
    export: Callable, small_matcher: PointLineMatcher
) -> None:
    written = export(("a.png", "turned.png"), matcher=with_rotation(small_matcher, "none"))
    assert counts(written, "a.png", "turned.png")[0] < 20
    assert "view" not in read_features_h5(written.features, "turned.png")


def test_exhaustive_searches_what_does_not_vote(
    export: Callable, small_matcher: PointLineMatcher
) -> None:
    matcher = with_rotation(small_matcher, "exhaustive")
    matcher.relative_turn = replace(matcher.relative_turn, min_trust=100.0, min_inliers=10**6)
    written = export(("a.png", "turned.png"), matcher=matcher)
    assert "view" in read_features_h5(written.features, "turned.png")


def test_a_resumed_export_is_the_same(export: Callable, folder: Path, tmp_path: Path) -> None:
    first = export(PAIR)
    second = export(("b.png", "a.png"), ("b.png", "turned.png"), PAIR)
    assert (second.num_pairs, second.num_new_pairs) == (2, 1)
    again = export(("turned.png", "b.png"), PAIR)
    assert again.num_new_pairs == 0
    matched = read_matches_h5(first.matches, "b.png", "turned.png")
    assert (matched["matches0"] > -1).sum() > 100


def test_exif_does_not_move_the_frame(export: Callable, folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(folder / "turned.png") as image:
        image.save(folder / "camera.png", exif=exif)
    written = export(PAIR, ("a.png", "camera.png"), ("a.png", "turned.png"))
    assert counts(written, "a.png", "camera.png") == counts(written, *PAIR)
    stored, turned = (
        read_features_h5(written.features, name) for name in ("camera.png", "turned.png")
    )
    for key in ("image_size", "keypoints", "lines", "view", "view_size"):
        np.testing.assert_allclose(stored[key], turned[key], atol=1e-4)


@pytest.mark.parametrize("change", ["budget", "model", "resize", "rotation", "image"])
def test_features_of_another_run_are_refused(
    export: Callable, folder: Path, small_matcher: PointLineMatcher, change: str
) -> None:
    export(PAIR)
    matcher, model = small_matcher, "small"
    if change == "budget":
        matcher = PointLineMatcher.from_pretrained(max_num_keypoints=64, max_num_lines=40)
        message = r"points.max_num_keypoints was 128 and is now 64"
    elif change == "model":
        model, message = "other", "model was 'small' and is now 'other'"
    elif change == "resize":
        config = small_matcher.extractor.config
        extractor = type(small_matcher.extractor)(
            replace(config, resize=replace(config.resize, size=320)),
            point_detector=small_matcher.extractor.point_detector,
        )
        matcher = PointLineMatcher(
            extractor=extractor,
            wireframe=small_matcher.wireframe,
            network=small_matcher.network,
            rotation=small_matcher.rotation,
        ).eval()
        message = "resize.size was .* and is now 320"
    elif change == "rotation":
        matcher = with_rotation(small_matcher, "none")
        message = "rotation was 'auto' and is now 'none'"
    else:
        (folder / "turned.png").replace(folder / "b.png")
        message = r"features of another image of the name b\.png"
    with pytest.raises(ValueError, match=message) as refusal:
        export(PAIR, matcher=matcher, model=model)
    assert "choose another output folder" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_matches_of_another_network_are_refused(
    export: Callable, small_matcher: PointLineMatcher
) -> None:
    export(PAIR)
    other = PointLineMatcher.from_pretrained(max_num_keypoints=128, max_num_lines=40)
    other.network.get_parameter(
        next(name for name, _ in other.network.named_parameters())
    ).data += 1
    with pytest.raises(ValueError, match=r"matches\.h5 has matches of another run \(network was"):
        export(PAIR, matcher=other)


def test_matches_of_other_features_are_refused(export: Callable) -> None:
    written = export(PAIR)
    with FeaturesWriter(written.features) as stored:
        arrays, origin = stored.read("b.png"), stored.origin("b.png")
        stored.add("b.png", arrays, origin=origin | {"features": "0" * 16})
    with pytest.raises(ValueError, match=r"other features of b\.png"):
        export(PAIR)


def test_files_of_unknown_origin_are_refused(export: Callable, tmp_path: Path) -> None:
    written = export(PAIR)
    with FeaturesWriter(written.features) as stored:
        stored.add("b.png", stored.read("b.png"))
    with pytest.raises(ValueError, match=r"features of b\.png that do not say"):
        export(PAIR)
    written.features.unlink()
    with MatchesWriter(written.matches) as stored:
        stored.add_arrays(*PAIR, read_matches_h5(written.matches, *PAIR))
    with pytest.raises(ValueError, match=r"matches of a\.png and b\.png that do not say"):
        export(PAIR)


def test_bad_images_are_left_out(export: Callable, folder: Path) -> None:
    (folder / "bad.jpg").write_bytes(b"\xff\xd8 no image")
    pairs = (PAIR, ("a.png", "bad.jpg"), ("missing.png", "b.png"), ("a.png", "./a.png"))
    written = export(*pairs)
    assert (written.num_images, written.num_pairs, written.num_skipped_pairs) == (2, 1, 3)
    assert written.skipped.images.keys() == {"bad.jpg", "missing.png"}
    assert "there is no image missing.png" in written.skipped.images["missing.png"]
    assert "paired with itself" in written.skipped.pairs["a.png", "a.png"]
    for pair in pairs[1:]:
        with pytest.raises(ValueError, match=r"bad\.jpg|missing\.png|itself"):
            export(PAIR, pair, strict=True)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "no pair is left to match: the list is empty"),
        ([("x.png", "y.png")], r"no pair is left to match: there is no image x\.png.*and 1 more"),
        ([("../a.png", "a.png")], r"there is no image \.\./a\.png"),
        ([("a.png", "a.png")], "paired with itself"),
    ],
)
def test_nothing_to_match_is_refused(export: Callable, tmp_path: Path, pairs, message) -> None:
    with pytest.raises(ValueError, match=message):
        export(*pairs)
    assert not (tmp_path / "out").exists()


def test_names_that_match_files_confuse_are_refused(export: Callable, folder: Path) -> None:
    (folder / "x").mkdir()
    for name in ("x/a.png", "x-a.png"):
        shutil.copy(folder / "a.png", folder / name)
    with pytest.raises(ValueError, match=r"x-a\.png and x/a\.png have the same name"):
        export(("x-a.png", "b.png"), ("x/a.png", "b.png"))


def test_an_interrupted_export_goes_on(export: Callable) -> None:
    def interrupted(items, title):
        for number, item in enumerate(items):
            if title == "Matches" and number == 1:
                raise KeyboardInterrupt
            yield item

    pairs = (PAIR, ("a.png", "turned.png"), ("b.png", "turned.png"))
    with pytest.raises(KeyboardInterrupt):
        export(*pairs, progress=interrupted)
    assert export(*pairs).num_new_pairs == 2


def _hold(path: Path, ready, done) -> None:
    with FeaturesWriter(path):
        ready.set()
        done.wait(60)


def test_a_second_run_is_told(export: Callable, tmp_path: Path) -> None:
    written = export(PAIR)
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(written.features, ready, done))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(ValueError, match="is being written by"):
            export(PAIR, ("a.png", "turned.png"))
    finally:
        done.set()
        other.join()
    assert export(PAIR, ("a.png", "turned.png")).num_new_pairs == 1


def test_a_matcher_without_detector_weights_is_refused(
    export: Callable, small_matcher: PointLineMatcher
) -> None:
    matcher = PointLineMatcher(
        extractor=None, wireframe=small_matcher.wireframe, network=small_matcher.network
    )
    with pytest.raises(ValueError, match="detector_weights"):
        export(PAIR, matcher=matcher)


def test_files_of_hloc_are_not_mixed_with(export: Callable, tmp_path: Path) -> None:
    arrays = {"image_size": np.array([9, 9]), "keypoints": np.zeros((2, 2), np.float32)}
    write_features_h5(tmp_path / "out" / "features.h5", "other.jpg", arrays)
    with pytest.raises(ValueError, match=r"other\.jpg that do not say"):
        export(PAIR)


@pytest.mark.parametrize("orientation", [1, 6])
def test_nothing_is_found_where_a_mask_is_black(
    export: Callable, folder: Path, tmp_path: Path, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(folder / "b.png") as image:
        image.save(folder / "b.png", exif=exif)
    masks = tmp_path / "masks"
    masks.mkdir()
    mask = np.zeros((281, 375), np.uint8)
    mask[:, 200:] = 255
    Image.fromarray(mask).save(masks / "b.png.png")
    written = export(PAIR, mask_dir=masks)
    free, masked = (read_features_h5(written.features, name)["keypoints"] for name in PAIR)
    assert free[:, 0].min() < 100
    assert len(masked) > 20
    assert masked[:, 0].min() > 190
    with pytest.raises(ValueError, match=r"another image of the name b\.png"):
        export(PAIR)


def test_a_mask_of_another_size_leaves_its_image_out(
    export: Callable, folder: Path, tmp_path: Path
) -> None:
    Image.new("L", (30, 20), 255).save(tmp_path / "b.png.png")
    with pytest.raises(ValueError, match=r"mask .*b\.png\.png has 30 x 20 px"):
        export(PAIR, mask_dir=tmp_path)
    with pytest.raises(ValueError, match="no folder nowhere of masks"):
        export(PAIR, mask_dir=Path("nowhere"))
