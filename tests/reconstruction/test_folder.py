import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sfm_scenes import POSES, SIZE, pose_errors, write_cameras, write_textured_photographs

from gluestick.export import read_features_h5
from gluestick.export.views.folder import ViewBudget
from gluestick.pipeline import PointLineMatcher
from gluestick.reconstruction import (
    Reconstruction,
    ReconstructionConfig,
    ReconstructionInputs,
    reconstruct,
)
from gluestick.reconstruction.colmap.images import CameraOptions
from gluestick.reconstruction.mapping import MappingConfig

pycolmap = pytest.importorskip("pycolmap")

NO_SEARCH = ViewBudget(max_searches=0)


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, assets: Path, small_matcher: PointLineMatcher
) -> tuple[Path, Reconstruction]:
    """A folder with photographs, results in ``out``, a photograph that nothing fits, a bad one."""
    root = tmp_path_factory.mktemp("made")
    photographs = write_textured_photographs(root / "photographs", assets)
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(noise).save(photographs / "noise.png")
    (photographs / "damaged.png").write_bytes(b"no image")
    write_cameras(root / "cameras.json")
    return root, run(small_matcher, root)


def run(matcher: PointLineMatcher, root: Path, **options: object) -> Reconstruction:
    inputs = {name: options.pop(name) for name in ("model", "database") if name in options}
    inputs = {"cameras": root / "cameras.json", **inputs} if "model" not in inputs else inputs
    return reconstruct(
        matcher,
        ReconstructionInputs(image_dir=root / "photographs", output=root / "out", **inputs),
        model="small",
        config=ReconstructionConfig(**{"views": NO_SEARCH, **options}),
    )


@pytest.fixture
def copy(made: tuple[Path, Reconstruction], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "copy"))


def test_cameras_are_found_and_what_is_left_out_is_told(
    made: tuple[Path, Reconstruction],
) -> None:
    root, done = made
    model = pycolmap.Reconstruction(str(done.model))
    centre, rotation = pose_errors(model)
    assert model.num_reg_images() == 4
    assert centre < 0.01
    assert rotation < 0.2
    assert done.points.read_bytes().startswith(b"ply")
    assert json.loads((root / "out" / "reconstruction.json").read_text()) == done.record
    photographs = {each["name"]: each for each in done.record["photographs"]}
    assert {name for name, each in photographs.items() if each["registered"]} == set(POSES)
    assert "damaged.png is not an image" in photographs["damaged.png"]["reason"]
    assert "no pair with it was verified" in photographs["noise.png"]["reason"]
    figures = done.record["models"][0]
    assert figures["num_points"] == model.num_points3D()
    assert sum(figures["track_lengths"].values()) == model.num_points3D()
    assert figures["mean_reprojection_error"] < 0.5
    pairs = {tuple(each["names"]): each for each in done.record["pairs"]}
    assert len(pairs) == 10
    assert pairs["0.png", "1.png"]["geometry"] == "calibrated"
    assert pairs["0.png", "1.png"]["num_inliers"] > 20


def test_lines_and_a_page_are_made(made: tuple[Path, Reconstruction]) -> None:
    root, done = made
    lines = json.loads((root / "out" / "lines.json").read_text())["lines"]
    figures = done.record["line_map"]
    assert figures["num_lines"] == len(lines) > 3
    for line in lines:
        assert line["num_views"] >= 3
        assert line["reprojection_error"] < 2
        for seen in line["track"]:
            assert 0 <= seen["line"] < len(read_features_h5(done.features, seen["image"])["lines"])
    assert done.lines == root / "out" / "lines.json"
    page = done.report.read_text(encoding="utf-8")
    assert f"{len(lines)} lines, seen by" in page
    assert "4 of 6 photographs registered" in page
    assert "damaged.png is not an image" in page


def test_an_index_means_one_point_in_every_file(made: tuple[Path, Reconstruction]) -> None:
    done = made[1]
    model = pycolmap.Reconstruction(str(done.model))
    for image in model.images.values():
        own = read_features_h5(done.features, image.name)
        assert image.num_points2D() == len(own["keypoints"])
        assert own["line_junctions"].max() < own["num_junctions"]
        stored = np.array([point.xy for point in image.points2D])
        assert np.abs(stored - 0.5 - own["keypoints"]).max() < 2.0


def test_a_second_run_computes_nothing_again(
    copy: Path, small_matcher: PointLineMatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    before = (copy / "out" / "sparse" / "0" / "images.bin").stat().st_mtime_ns
    monkeypatch.setattr("gluestick.reconstruction.models.map_photographs", never)
    monkeypatch.setattr("gluestick.reconstruction.lines.making.make_line_map", never)
    monkeypatch.setattr(PointLineMatcher, "extract", never)
    monkeypatch.setattr(PointLineMatcher, "match", never)
    run(small_matcher, copy)
    assert (copy / "out" / "sparse" / "0" / "images.bin").stat().st_mtime_ns == before


def test_other_options_of_the_mapper_make_another_model(
    copy: Path, small_matcher: PointLineMatcher
) -> None:
    options = {"refinement": None, "lines": None}
    done = run(small_matcher, copy, mapping=MappingConfig(mapper="global"), **options)
    assert done.record["refinement"] == [None]
    assert pose_errors(pycolmap.Reconstruction(str(done.model)))[0] < 0.02
    assert not list((copy / "out").glob(".sparse*"))
    assert done.lines is None
    assert done.record["line_map"] is None
    assert not list((copy / "out").glob("lines.*"))


def test_what_decides_the_database_may_not_change(
    copy: Path, small_matcher: PointLineMatcher
) -> None:
    with pytest.raises(ValueError, match=r"database of another run .*junctions.* --database"):
        run(small_matcher, copy, junctions=True)
    done = run(small_matcher, copy, junctions=True, database=copy / "other.db")
    assert done.database == copy / "other.db"
    for named in ({}, {"database": copy / "out" / "database.db"}):
        with pytest.raises(ValueError, match=r"database of another run .*junctions"):
            run(small_matcher, copy, junctions=True, **named)


def test_settings_of_a_failed_run_do_not_bind_the_next(
    copy: Path, small_matcher: PointLineMatcher
) -> None:
    (copy / "out" / "database.db").unlink()
    right = (copy / "cameras.json").read_text()
    (copy / "cameras.json").write_text(right.replace(f'"width": {SIZE[0]}', '"width": 9'))
    with pytest.raises(ValueError, match=r"known camera of 0\.png is for 9 x"):
        run(small_matcher, copy)
    (copy / "cameras.json").write_text(right)
    assert run(small_matcher, copy).record["models"][0]["num_registered"] == 4


@pytest.mark.parametrize("fault", ["database", "camera model"])
def test_what_cannot_be_written_in_the_end_is_told_before_anything_is_computed(
    copy: Path, small_matcher: PointLineMatcher, fault: str
) -> None:
    shutil.rmtree(copy / "out")
    (copy / "notes.txt").write_text("no database")
    options = {"database": {"database": copy / "notes.txt"}}
    options["camera model"] = {"cameras": CameraOptions(model="ROUND")}
    with pytest.raises(ValueError, match=r"notes\.txt cannot be read|no camera model ROUND"):
        run(small_matcher, copy, **options[fault])
    assert not (copy / "out").exists()


def test_points_that_were_removed_are_written_again(
    copy: Path, small_matcher: PointLineMatcher
) -> None:
    before = (copy / "out" / "points.ply").read_bytes()
    (copy / "out" / "points.ply").unlink()
    again = run(small_matcher, copy).points.read_bytes()
    assert again.partition(b"end_header")[0] == before.partition(b"end_header")[0]
    assert sorted(again) == sorted(before)  # their order is COLMAP's own


def test_two_photographs_are_enough(copy: Path, small_matcher: PointLineMatcher) -> None:
    for name in ("0.png", "3.png", "noise.png", "damaged.png"):
        (copy / "photographs" / name).unlink()
    shutil.rmtree(copy / "out")
    model = run(small_matcher, copy).record["models"][0]
    assert model["num_registered"] == 2
    assert model["num_points"] > 20


def test_a_killed_mapper_leaves_the_earlier_model(
    copy: Path, small_matcher: PointLineMatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gluestick.reconstruction.models.map_photographs", killed)
    with pytest.raises(KeyboardInterrupt):
        run(small_matcher, copy, refinement=None)
    assert pycolmap.Reconstruction(str(copy / "out" / "sparse" / "0")).num_reg_images() == 4


def test_poses_of_a_model_are_kept(copy: Path, small_matcher: PointLineMatcher) -> None:
    shutil.move(copy / "out" / "sparse" / "0", copy / "model")
    posed = pycolmap.Reconstruction(str(copy / "model"))
    posed.deregister_frame(posed.find_image_with_name("3.png").frame_id)
    posed.write(str(copy / "model"))
    for name in ("settings.json", "database.db"):
        (copy / "out" / name).unlink()
    done = run(small_matcher, copy, model=copy / "model")
    found = pycolmap.Reconstruction(str(done.model))
    assert found.num_points3D() > 20
    assert done.record["line_map"]["num_lines"] > 0
    for image in found.images.values():
        if image.has_pose:
            before = posed.find_image_with_name(image.name).projection_center()
            assert image.projection_center() == pytest.approx(before, abs=1e-6)
    photographs = {each["name"]: each for each in done.record["photographs"]}
    assert photographs["3.png"]["reason"] == "the posed model lacks it"
    moved = pycolmap.Sim3d(2.0, pycolmap.Rotation3d(), np.array([10.0, 0, 0]))
    posed.transform(moved)
    posed.write(str(copy / "model"))
    again = pycolmap.Reconstruction(str(run(small_matcher, copy, model=copy / "model").model))
    for image in again.images.values():
        if image.has_pose:
            there = posed.find_image_with_name(image.name).projection_center()
            assert image.projection_center() == pytest.approx(there, abs=1e-6)


def test_a_database_is_extended(copy: Path, small_matcher: PointLineMatcher) -> None:
    path = copy / "mine.db"
    with pycolmap.Database.open(str(path)) as database:
        camera = pycolmap.Camera.create_from_model_name(0, "PINHOLE", 9.0, 8, 6)
        rig = pycolmap.Rig()
        camera.camera_id = database.write_camera(camera)
        rig.add_ref_sensor(camera.sensor_id)
        database.write_rig(rig)
        database.write_image(pycolmap.Image(name="mine.png", camera_id=camera.camera_id))
    done = run(small_matcher, copy, database=path)
    with pycolmap.Database.open(str(path)) as database:
        assert database.read_image(1).name == "mine.png"
        assert database.read_camera(1).width == 8
        assert database.num_images() == 6
    assert pycolmap.Reconstruction(str(done.model)).num_reg_images() == 4


def test_photographs_without_overlap_are_one_clear_error(
    tmp_path: Path, small_matcher: PointLineMatcher
) -> None:
    (tmp_path / "photographs").mkdir()
    for seed in range(2):
        noise = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "photographs" / f"{seed}.png")
    inputs = ReconstructionInputs(image_dir=tmp_path / "photographs", output=tmp_path / "out")
    with pytest.raises(ValueError, match=r"no two of the 2 photographs could be placed: 0 of 1"):
        reconstruct(small_matcher, inputs, model="small")
    assert not (tmp_path / "out" / "sparse").exists()
    assert "0 of 2 photographs" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    record = json.loads((tmp_path / "out" / "reconstruction.json").read_text())
    assert [each["registered"] for each in record["photographs"]] == [False, False]
    with pytest.raises(ValueError, match="has its own cameras"):
        reconstruct(
            small_matcher,
            replace(inputs, cameras=tmp_path, model=_model(tmp_path)),
            model="small",
        )


def _model(folder: Path) -> Path:
    from colmap_scenes import write_model

    write_model(folder / "model")
    shutil.copy(folder / "photographs" / "0.png", folder / "photographs" / "near.png")
    return folder / "model"


def test_names_that_are_missing_are_told(copy: Path, small_matcher: PointLineMatcher) -> None:
    (copy / "pairs.txt").write_text("0.png 1.png\n0.png 2.png\n1.png 2.png\n0.png gone.png\n")
    inputs = ReconstructionInputs(
        image_dir=copy / "photographs",
        output=copy / "out",
        pairs_file=copy / "pairs.txt",
        cameras=copy / "cameras.json",
    )
    done = reconstruct(small_matcher, inputs, model="small")
    reasons = {each["name"]: each["reason"] for each in done.record["photographs"]}
    assert reasons["0.png"] is None
    assert "there is no image gone.png" in reasons["gone.png"]
    assert "damaged.png is not an image" in reasons["damaged.png"]


def test_the_choice_of_verification_is_checked() -> None:
    with pytest.raises(ValueError, match="verification needs to be colmap or gluestick"):
        ReconstructionConfig(verification="mine")


STRECHA = Path(__file__).parents[2].parent / "shared" / "data" / "pose" / "strecha_fountain-P11"


@pytest.mark.skipif(not STRECHA.is_dir(), reason=f"{STRECHA} is not there")
def test_three_photographs_of_a_real_building(
    tmp_path: Path, small_matcher: PointLineMatcher
) -> None:
    (tmp_path / "photographs").mkdir()
    true = json.loads((STRECHA / "cameras.json").read_text())
    cameras = {}
    for name in ("0003.jpg", "0004.jpg", "0005.jpg"):
        with Image.open(STRECHA / "images" / name) as image:
            image.reduce(2).save(tmp_path / "photographs" / name, quality=97)
            cameras[name] = {"K": np.array(true[name]["K"])}
        cameras[name]["K"][:2] /= 2
        cameras[name]["K"][:2, 2] -= 0.25
        cameras[name]["K"] = cameras[name]["K"].tolist()
    (tmp_path / "cameras.json").write_text(json.dumps(cameras))
    done = run(small_matcher, tmp_path)
    model = pycolmap.Reconstruction(str(done.model))
    poses = {image.name: image.cam_from_world() for image in model.images.values()}
    assert set(poses) == set(cameras)
    R = {name: np.array(true[name]["R_cam_from_world"]) for name in poses}
    for first, second in (("0003.jpg", "0004.jpg"), ("0003.jpg", "0005.jpg")):
        found = poses[second].rotation.matrix() @ poses[first].rotation.matrix().T
        difference = found @ (R[second] @ R[first].T).T
        assert np.degrees(np.linalg.norm(difference - np.eye(3)) / np.sqrt(2)) < 0.3
