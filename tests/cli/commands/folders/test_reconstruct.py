import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from sfm_scenes import POSES, write_cameras, write_textured_photographs
from typer.testing import Result

QUICK = ("--max-num-keypoints", "128", "--max-num-lines", "40", "--threads", "1")


@pytest.fixture
def scene(tmp_path: Path, assets: Path) -> Path:
    write_textured_photographs(tmp_path / "photographs", assets)
    (tmp_path / "photographs" / "3.png").unlink()
    write_cameras(tmp_path / "cameras.json")
    return tmp_path


def test_a_folder_becomes_a_model(invoke: Callable[..., Result], scene: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    arguments = ("reconstruct", scene / "photographs", "--output", scene / "out", *QUICK)
    arguments += ("--cameras", scene / "cameras.json", "--undistort")
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    assert "3 of 3 photographs registered" in result.output
    assert "lines in space" in result.output
    for name in ("lines.ply", "lines.obj", "lines.json", "report.html"):
        assert (scene / "out" / name).is_file()
    assert pycolmap.Reconstruction(str(scene / "out" / "sparse" / "0")).num_reg_images() == 3
    undistorted = scene / "out" / "undistorted"
    for name in list(POSES)[:3]:
        with Image.open(undistorted / "images" / name) as image:
            assert image.size == (320, 240)
    for place in ("sparse", "sparse/0"):
        model = pycolmap.Reconstruction(str(undistorted / place))
        assert {camera.model_name for camera in model.cameras.values()} == {"PINHOLE"}
        assert model.num_points3D() > 20
    settings = json.loads((scene / "out" / "run.json").read_text())
    assert settings["reconstruction"]["mapping"]["seed"] == 0
    before = (undistorted / "complete.txt").stat().st_mtime_ns
    assert invoke(*arguments).exit_code == 0
    assert (undistorted / "complete.txt").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "there is no folder nowhere"),
        (("PHOTOGRAPHS", "--mapper", "quick"), "incremental or global"),
        (("PHOTOGRAPHS", "--line-views", "1"), "min_views needs to be at least 2"),
        (("PHOTOGRAPHS", "--view-searches", "-1"), "max_searches needs to be at least 0"),
        (("PHOTOGRAPHS", "--view", "turn", "--rotation", "none"), "name the same"),
        (("PHOTOGRAPHS", "--cameras", "nowhere.json"), "no file of cameras nowhere.json"),
        (("PHOTOGRAPHS", "--model", "nowhere"), "needs the files of a COLMAP model"),
        (("PHOTOGRAPHS", "--pairs", "PAIRS"), "no pair is left to match"),
    ],
)
def test_bad_input_is_one_line(
    refused: Callable[..., str], tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    pytest.importorskip("pycolmap")
    (tmp_path / "photographs").mkdir()
    for name in "ab":
        Image.new("RGB", (32, 24)).save(tmp_path / "photographs" / f"{name}.png")
    (tmp_path / "pairs.txt").write_text("a.png c.png\n")
    places = {"PHOTOGRAPHS": tmp_path / "photographs", "PAIRS": tmp_path / "pairs.txt"}
    given = [places.get(argument, argument) for argument in arguments]
    assert words in refused("reconstruct", *given, "--output", tmp_path / "out", *QUICK)
    assert not (tmp_path / "out" / "sparse").exists()
