import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from gluestick.export import read_matches_npz

QUICK = ("--max-num-keypoints", "128", "--max-num-lines", "40")


def test_writes_matches_pictures_and_a_table(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    images = photographs / "a.jpg", photographs / "b.jpg"
    result = invoke("match", *images, "--output", tmp_path, "--viewer", *QUICK)
    assert result.exit_code == 0, result.output
    for word in ("keypoints", "lines", "junctions", "inliers", "matching", "points.png"):
        assert word in result.output
    arrays = read_matches_npz(tmp_path / "matches.npz")
    matched = arrays["matches0"] > -1
    assert 20 < matched.sum() <= 128
    assert arrays["image_size0"].tolist() == [375, 281]
    assert arrays["point_inliers"].shape == (matched.sum(),)
    assert arrays["point_inliers"].mean() > 0.5
    assert arrays["line_inliers"].shape == ((arrays["line_matches0"] > -1).sum(),)
    assert np.isfinite(arrays["H_0to1"]).all()
    for name in ("points.png", "lines.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width >= 1200
    assert "<html" in (tmp_path / "viewer.html").read_text(encoding="utf-8")


def test_blank_images_give_a_valid_empty_result(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    blank = photographs / "blank.png"
    result = invoke("match", blank, blank, "--output", tmp_path, "--viewer")
    assert result.exit_code == 0, result.output
    arrays = read_matches_npz(tmp_path / "matches.npz")
    assert arrays["keypoints0"].shape == (0, 2)
    assert arrays["lines0"].shape == (0, 2, 2)
    assert arrays["matches0"].shape == (0,)
    assert np.isnan(arrays["H_0to1"]).all()


def test_masks_lines_and_geometry_are_taken(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    mask = np.zeros((281, 375), np.uint8)
    mask[:, :200] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    lines = np.array([[[20.0, 20.0], [20.0, 120.0]], [[30.0, 40.0], [150.0, 44.0]]])
    np.save(tmp_path / "lines.npy", lines)
    result = invoke(
        "match",
        photographs / "a.jpg",
        photographs / "b.jpg",
        *("--output", tmp_path, "--geometry", "fundamental", *QUICK),
        *("--mask0", tmp_path / "mask.png", "--lines0", tmp_path / "lines.npy"),
    )
    assert result.exit_code == 0, result.output
    arrays = read_matches_npz(tmp_path / "matches.npz")
    np.testing.assert_array_equal(arrays["lines0"], lines.astype(np.float32))
    assert arrays["keypoints0"][arrays["num_junctions0"] :, 0].max() < 200
    assert np.isnan(arrays["H_0to1"]).all()
    assert arrays["point_inliers"].any()


def make_bad_file(folder: Path, kind: str) -> Path:
    path = folder / "bad.png"
    if kind == "missing":
        return path
    content = {"empty": b"", "text": b"not an image", "truncated": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"}
    path.write_bytes(content[kind])
    return path


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated"])
def test_an_unreadable_image_is_one_line(
    refused: Callable[..., str], photographs: Path, tmp_path: Path, kind: str
) -> None:
    message = refused("match", make_bad_file(tmp_path, kind), photographs / "b.jpg")
    assert "bad.png" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "unknown"), "no model 'unknown'"),
        (("--model", "superpoint-lsd-gluestick"), "not shipped"),
        (("--weights", "nowhere.safetensors"), "nowhere.safetensors"),
        (("--config", "nowhere.yaml"), "nowhere.yaml"),
        (("--device", "tpu"), "tpu"),
        (("--geometry", "affine"), "affine"),
        (("--lines0", "nowhere.npy"), "nowhere.npy"),
        (("--mask1", "nowhere.png"), "nowhere.png"),
        (("--max-num-keypoints", "-3"), "-3"),
        (("--max-error", "-1"), "max_error"),
        (("pipeline.unknown=1",), "unknown"),
    ],
)
def test_bad_options_are_one_line(
    refused: Callable[..., str], photographs: Path, arguments: tuple[str, ...], words: str
) -> None:
    assert words in refused("match", photographs / "a.jpg", photographs / "b.jpg", *arguments)


def test_a_damaged_checkpoint_is_one_line(
    refused: Callable[..., str], photographs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(b"\x00" * 100)
    images = photographs / "a.jpg", photographs / "b.jpg"
    assert "damaged.safetensors" in refused("match", *images, "--weights", path)


def test_an_output_that_is_a_file_is_one_line(
    refused: Callable[..., str], photographs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "taken"
    path.write_text("kept")
    blank = photographs / "blank.png"
    assert "taken" in refused("match", blank, blank, "--output", path)
    assert path.read_text() == "kept"


def test_the_installed_command_fails_without_a_traceback(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("gluestick")), "match", "no.jpg", "no.jpg"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "no.jpg" in result.stderr
    assert list(tmp_path.iterdir()) == []
