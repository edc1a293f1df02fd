import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sfm_scenes import (
    CAMERA,
    POSES,
    SIZE,
    write_cameras,
    write_posed_model,
    write_textured_photographs,
)

from gluestick.export import FeaturesReader, read_features_h5
from gluestick.export.views.folder import ViewBudget
from gluestick.pipeline import PointLineMatcher
from gluestick.reconstruction.lines.files import write_line_map
from gluestick.reconstruction.lines.values import LineMap
from gluestick.reconstruction.localization import (
    Localization,
    LocalizationInputs,
    MatchingConfig,
    PoseConfig,
    localize,
)
from gluestick.reconstruction.localization.references import References
from gluestick.reconstruction.pairs.retrieval import PhotographDescriptors
from gluestick.viewpoint.affine_evidence import AffineEvidence

pytest.importorskip("pycolmap")

IN_MODEL = ["0.png", "1.png", "3.png"]
TRUE = POSES["2.png"]
WALL = 0.9
"""The depth of the wall at the back, whose photograph the other one hides for x from -0.2."""


def run(root: Path, matcher: PointLineMatcher, **options: object) -> Localization:
    files = {"cameras": root / "cameras.json"} if options.pop("known", True) else {}
    options.setdefault("matching", MatchingConfig(views=ViewBudget(max_searches=0)))
    return localize(
        matcher,
        LocalizationInputs(
            model=root / "model",
            queries=options.pop("queries", root / "queries"),
            output=root / "out",
            image_dir=root / "photographs",
            **files,
        ),
        model="small",
        **options,
    )


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, assets: Path, small_matcher: PointLineMatcher
) -> tuple[Path, Localization]:
    """Three photographs with their true poses, and queries: the fourth, a damaged one, noise."""
    root = tmp_path_factory.mktemp("localized")
    photographs, queries = (
        write_textured_photographs(root / "photographs", assets),
        root / "queries",
    )
    queries.mkdir()
    shutil.move(photographs / "2.png", queries / "2.png")
    (queries / "bad.png").write_bytes(b"no image")
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    Image.fromarray(noise).save(queries / "<noise>.png")
    write_cameras(root / "cameras.json")
    write_posed_model(root / "model", IN_MODEL)
    return root, run(root, small_matcher)


@pytest.fixture
def copy(made: tuple[Path, Localization], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "copy"))


def record(done: Localization, name: str) -> dict:
    return next(each for each in done.records if each["name"] == name)


def errors(found: dict) -> tuple[float, float]:
    """Return how far a pose is from the true one: of the centre, and of the rotation, degrees."""
    w, x, y, z = found["cam_from_world"]["qvec"]
    R = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    centre = -R.T @ np.array(found["cam_from_world"]["tvec"])
    angle = np.degrees(np.linalg.norm(R @ TRUE.R.T - np.eye(3)) / np.sqrt(2))
    return float(np.linalg.norm(centre + TRUE.R.T @ TRUE.t)), float(angle)


def test_a_photograph_is_localized_in_a_colmap_model(made: tuple[Path, Localization]) -> None:
    root, done = made
    found = record(done, "2.png")
    assert found["localized"]
    assert found["cam_from_world"]["centre"] == pytest.approx(-TRUE.R.T @ TRUE.t, abs=0.03)
    assert errors(found)[1] < 0.3
    assert found["num_point_inliers"] > 30
    assert {own["name"] for own in found["references"]} == set(IN_MODEL)
    assert json.loads((root / "out" / "poses.json").read_text()) == done.records
    assert done.poses.read_text().startswith("2.png ")
    assert len(done.poses.read_text().splitlines()) == 1


def test_queries_that_cannot_be_localized_are_told(made: tuple[Path, Localization]) -> None:
    root, done = made
    assert "bad.png is not an image" in record(done, "bad.png")["reason"]
    noise = record(done, "<noise>.png")
    assert not noise["localized"]
    assert "of the model match it" in noise["reason"]
    page = (root / "out" / "report.html").read_text()
    assert "1 of 3 queries are localized" in page
    assert "&lt;noise&gt;.png" in page
    assert "<noise>" not in page
    assert page.count('src="data:image/jpeg;base64,') == 2
    assert "http" not in page


def test_a_second_run_computes_nothing_again(
    copy: Path, small_matcher: PointLineMatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    before = (copy / "out" / "poses.txt").read_text()
    (copy / "out" / "poses.txt").unlink()
    monkeypatch.setattr(PointLineMatcher, "extract", never)
    monkeypatch.setattr(PointLineMatcher, "match", never)
    run(copy, small_matcher)
    assert (copy / "out" / "poses.txt").read_text() == before


def test_a_stopped_run_goes_on_where_it_was(
    copy: Path, small_matcher: PointLineMatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "out" / "queries.h5").unlink()
    extract: Callable = PointLineMatcher.extract
    extracted = []

    def stopped(matcher: PointLineMatcher, *arguments: object, **options: object) -> object:
        if len(extracted) == 1:
            raise KeyboardInterrupt
        extracted.append(arguments)
        return extract(matcher, *arguments, **options)

    monkeypatch.setattr(PointLineMatcher, "extract", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(copy, small_matcher)
    extracted.clear()
    done = run(copy, small_matcher)
    assert len(extracted) == 1
    assert record(done, "2.png")["localized"]


def test_an_unknown_focal_length_is_found_also_in_a_turned_photograph(
    copy: Path, small_matcher: PointLineMatcher
) -> None:
    """The pixels of the camera are not square (300 and 310 px), which costs some accuracy."""
    with Image.open(copy / "queries" / "2.png") as image:
        image.transpose(Image.Transpose.ROTATE_90).save(copy / "turned.png")
    (copy / "list.txt").write_text("queries/2.png\nturned.png\nqueries/gone.png\n")
    done = run(copy, small_matcher, queries=copy / "list.txt", known=False)
    assert abs(record(done, "turned.png")["turn"]) == 90
    assert "there is no image" in record(done, "queries/gone.png")["reason"]
    for name in ("queries/2.png", "turned.png"):
        found = record(done, name)
        assert found["localized"]
        assert found["camera_from"] == "unknown"
        assert found["camera"]["params"][0] == pytest.approx(305, rel=0.12)
        centre = np.array(found["cam_from_world"]["centre"])
        assert np.linalg.norm(centre + TRUE.R.T @ TRUE.t) < 0.6


def test_lines_of_the_map_take_part(copy: Path, small_matcher: PointLineMatcher) -> None:
    write_lines_of_the_wall(copy / "out" / "map")
    entry = json.loads((copy / "cameras.json").read_text())["2.png"]
    (copy / "cameras.json").write_text(json.dumps({"queries/2.png": entry}))
    (copy / "list.txt").write_text("queries/2.png\n")
    done = run(copy, small_matcher, queries=copy / "list.txt")
    found = record(done, "queries/2.png")
    assert found["num_lines"] >= 5
    assert found["num_line_inliers"] >= 0.7 * found["num_lines"]
    assert found["localized"]
    assert errors(found)[0] < 0.03


def write_lines_of_the_wall(folder: Path) -> None:
    """Write as a line map where the segments of two photographs lie on the wall at the back."""
    lines = []
    for name in ("1.png", "3.png"):
        pose = POSES[name]
        segments = read_features_h5(folder / "features.h5", name)["lines"].astype(np.float64)
        rays = np.concatenate([segments, np.ones_like(segments[..., :1])], axis=-1)
        rays = rays @ np.linalg.inv(CAMERA.K).T @ pose.R
        centre = -pose.R.T @ pose.t
        ends = centre + rays * ((WALL - centre[2]) / rays[..., 2:])
        before = centre + rays * ((-0.7 - centre[2]) / rays[..., 2:])
        hidden = (np.abs(before[..., 0] - 1.0) < 1.3).any(axis=1)
        for index in np.flatnonzero(~hidden).tolist():
            lines.append((ends[index], name, index))
    found = LineMap(
        segments=np.array([line[0] for line in lines]),
        errors=np.zeros(len(lines)),
        uncertainties=np.zeros(len(lines)),
        observations=np.array(
            [(row, IN_MODEL.index(line[1]), line[2]) for row, line in enumerate(lines)]
        ),
    )
    write_line_map(folder, found, IN_MODEL)


def test_models_and_photographs_that_are_not_there(
    tmp_path: Path, made: tuple[Path, Localization], small_matcher: PointLineMatcher
) -> None:
    root = made[0]
    inputs = LocalizationInputs(
        model=tmp_path, queries=root / "queries", output=tmp_path / "out", image_dir=None
    )
    with pytest.raises(ValueError, match="output of gluestick reconstruct or a COLMAP model"):
        localize(small_matcher, inputs, model="small")
    for model, words in (
        (root / "model", "name its photographs with --images"),
        (root / "out" / "map", "does not say where its photographs are"),
    ):
        inputs = LocalizationInputs(model=model, queries=root / "queries", output=tmp_path / "out")
        with pytest.raises(ValueError, match=words):
            localize(small_matcher, inputs, model="small")
    assert not (tmp_path / "out").exists()


def test_features_of_another_matcher_are_refused(
    copy: Path, small_matcher: PointLineMatcher
) -> None:
    inputs = LocalizationInputs(
        model=copy / "out" / "map",
        queries=copy / "queries",
        output=copy / "other",
        image_dir=copy / "photographs",
    )
    with pytest.raises(ValueError, match="described by small, and queries were to be by another"):
        localize(small_matcher, inputs, model="another")


def test_aligned_keypoints_make_poses_more_exact(
    copy: Path, made: tuple[Path, Localization], small_matcher: PointLineMatcher
) -> None:
    entry = json.loads((copy / "cameras.json").read_text())["2.png"]
    (copy / "cameras.json").write_text(json.dumps({"queries/2.png": entry}))
    (copy / "list.txt").write_text("queries/2.png\n")
    done = run(copy, small_matcher, queries=copy / "list.txt", pose=PoseConfig(refine=False))
    detected, aligned = record(done, "queries/2.png"), record(made[1], "2.png")
    assert detected["num_point_inliers"] == aligned["num_point_inliers"]
    assert detected["cam_from_world"] != aligned["cam_from_world"]
    assert errors(aligned)[0] < errors(detected)[0]


def test_a_detail_is_matched_in_another_view(
    copy: Path, small_matcher: PointLineMatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoom, (width, height) = 5, SIZE
    low = np.array([(width - width / zoom) / 2, (height - height / zoom) / 2])
    with Image.open(copy / "photographs" / "1.png") as image:
        box = (*low, width - low[0], height - low[1])
        detail = image.resize(SIZE, Image.Resampling.BICUBIC, box=box)
    detail.save(copy / "detail.png")
    offset = low + 0.5 / zoom - 0.5
    to_photograph = np.column_stack([np.eye(2) / zoom, offset])
    true = AffineEvidence(affine=to_photograph, inliers=np.ones(9, bool), log10_false_alarms=-9.0)
    monkeypatch.setattr("gluestick.viewpoint.better_views.search_views", lambda *_, **__: [true])
    matched, found = {}, {}
    for searches in (0, 3):
        views = ViewBudget(max_searches=searches)
        with (
            FeaturesReader(copy / "out" / "map" / "features.h5") as features,
            PhotographDescriptors(copy / "out" / "retrieval.h5", copy / "photographs") as described,
        ):
            references = References(
                small_matcher,
                features,
                described,
                IN_MODEL,
                copy / "photographs",
                model="small",
                config=MatchingConfig(views=views),
            )
            query = references.match(copy / "detail.png")
            own = next(each for each in query.references if each.name == "1.png")
            seen = features.read("1.png")["keypoints"][own.keypoints[:, 1]]
        expected = (seen - offset) * zoom
        distances = query.features["keypoints"][own.keypoints[:, 0]] - expected
        matched[searches] = np.linalg.norm(distances, axis=1) / zoom
        found[searches] = own.good
    assert found == {0: False, 3: True}
    assert np.median(matched[0]) > 1
    assert len(matched[3]) >= 5
    assert matched[3].max() < 1
