import errno
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.testing import Result

from gluestick.estimation.chance.false_alarms import TRUSTED_BELOW
from gluestick.export import read_matches_npz

ORIENTATION = 0x0112
"""EXIF's tag."""

QUICK = ("--max-num-keypoints", "128", "--max-num-lines", "40")


def test_writes_matches_pictures_and_a_table(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    images = photographs / "a.jpg", photographs / "b.jpg"
    result = invoke("match", *images, "--output", tmp_path, "--viewer", *QUICK)
    assert result.exit_code == 0, result.output
    for word in ("keypoints", "lines", "junctions", "inliers", "points.png", "Trusted: "):
        assert word in result.output
    for word in ("loading", "matching", "estimation", "writing"):
        assert word in result.output
    arrays = read_matches_npz(tmp_path / "matches.npz")
    matched = arrays["matches0"] > -1
    assert 20 < matched.sum() <= 128
    assert arrays["image_size0"].tolist() == [375, 281]
    assert arrays["point_inliers"].shape == (matched.sum(),)
    assert arrays["point_inliers"].mean() > 0.5
    took_part = arrays["geometry"] == "homography"
    assert ("line_inliers" in arrays) == took_part
    assert arrays["trusted"]
    assert arrays["log10_false_alarms"] < TRUSTED_BELOW
    assert np.isfinite(arrays["H_0to1"]).all()
    assert np.isfinite(arrays["F_0to1"]).all()
    for name in ("points.png", "lines.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width >= 1200
    assert "<html" in (tmp_path / "viewer.html").read_text(encoding="utf-8")


def test_lines_many_to_many(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    images = photographs / "a.jpg", photographs / "b.jpg"
    command = ("match", *images, "--output", tmp_path, "--no-pictures", "--json", *QUICK)
    pairs = ("--line-pairs", "0.8")
    result = invoke(*command, *pairs, "--viewer")
    assert result.exit_code == 0, result.output
    arrays = read_matches_npz(tmp_path / "matches.npz")
    assert arrays["line_pair_probabilities"].min() >= 0.8
    counts = json.loads(result.stdout)["counts"]
    assert counts["line pairs"]["matched"] == len(arrays["line_pairs"]) > 5
    page = (tmp_path / "viewer.html").read_text(encoding="utf-8")
    assert '"pairs":[[' in page
    refused = invoke(*command, *pairs, "--model", "aliked-lsd-guided")
    assert refused.exit_code == 2
    assert "such as aliked-lsd" in refused.output


def test_a_run_is_recorded(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    images = photographs / "a.jpg", photographs / "b.jpg"
    result = invoke(
        *("match", *images, "--output", tmp_path, "--json", "--no-pictures", *QUICK),
        *("--geometry", "fundamental", "--K0", "400,187,140", "--K1", "400,400,187,140,-0.01"),
    )
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["matches.npz", "run.json"]
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert json.loads(result.stdout) == record
    assert record["images"][0] == {"path": str(images[0]), "image_size": [375, 281]}
    assert record["geometry"] == "fundamental"
    assert record["trusted"] is True
    assert record["log10_false_alarms"] < TRUSTED_BELOW
    assert record["turn"] == 0
    assert record["settings"]["pipeline"]["features"]["points"]["max_num_keypoints"] == 128
    assert record["settings"]["max_error"] is None
    assert record["counts"]["lines"]["inliers"] is None
    assert record["counts"]["keypoints"]["inliers"] > 20
    assert record["distortion"][1][0] == -0.01
    assert {"gluestick", "torch", "python"} <= {*record["versions"]}
    assert {"loading", "matching", "writing"} <= {*record["seconds"]}
    arrays = read_matches_npz(tmp_path / "matches.npz")
    np.testing.assert_allclose(arrays["R_0to1"], record["pose_0to1"]["R"])
    np.testing.assert_allclose(arrays["E_0to1"], record["E_0to1"])
    assert np.linalg.norm(arrays["t_0to1"]) == pytest.approx(1)
    assert "line_inliers" not in arrays


def test_nothing_in_common_is_said_in_plain_words(
    invoke: Callable[..., Result], photographs: Path, assets: Path, tmp_path: Path
) -> None:
    images = photographs / "a.jpg", assets / "graffiti_b.jpg"
    result = invoke("match", *images, "--output", tmp_path, "--no-pictures", *QUICK)
    assert result.exit_code == 0, result.output
    assert "may show nothing in common" in result.stdout
    assert not read_matches_npz(tmp_path / "matches.npz")["trusted"]


def test_a_preset_is_taken_by_its_name(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    image = photographs / "a.jpg"
    result = invoke(
        *("match", image, image, "--output", tmp_path, "--config", "quick", "--no-pictures"),
        *("--geometry", "none"),
    )
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert record["settings"]["pipeline"]["features"]["points"]["max_num_keypoints"] == 512
    assert record["geometry"] == "none"
    assert record["H_0to1"] is None


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


def save_as(kind: str, source: Path, folder: Path) -> Path:
    """Save a photograph in one of the forms that cameras and scanners produce."""
    path = folder / f"{kind}.png"
    with Image.open(source) as image:
        image.load()
    if kind == "grey":
        image.convert("L").save(path)
    elif kind == "16-bit":
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(path)
    elif kind == "alpha":
        image.putalpha(200)
        image.save(path)
    elif kind == "palette":
        image.quantize(200).save(path)
    elif kind == "EXIF-rotated":
        path = path.with_suffix(".jpg")
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        image.rotate(90, expand=True).save(path, exif=exif, quality=95)
    return path


@pytest.mark.parametrize("kind", ["grey", "16-bit", "alpha", "palette", "EXIF-rotated"])
def test_every_form_of_image_matches(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path, kind: str
) -> None:
    image = save_as(kind, photographs / "a.jpg", tmp_path)
    result = invoke("match", image, photographs / "b.jpg", "--output", tmp_path, *QUICK)
    assert result.exit_code == 0, result.output
    arrays = read_matches_npz(tmp_path / "matches.npz")
    assert arrays["image_size0"].tolist() == [375, 281]
    assert arrays["point_inliers"].sum() > 10


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2000, 3)])
def test_tiny_and_narrow_images_have_no_matches(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    path = tmp_path / "narrow.png"
    Image.new("RGB", size, (30, 60, 90)).save(path)
    result = invoke("match", path, photographs / "b.jpg", "--output", tmp_path, *QUICK)
    assert result.exit_code == 0, result.output
    arrays = read_matches_npz(tmp_path / "matches.npz")
    assert arrays["image_size0"].tolist() == list(size)
    assert not (arrays["matches0"] > -1).any()


def test_a_full_disk_is_one_line_and_keeps_what_was_there(
    refused: Callable[..., str],
    photographs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    earlier = tmp_path / "matches.npz"
    earlier.write_bytes(b"earlier")

    def no_space(file: IO[bytes], **arrays: np.ndarray) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", no_space)
    monkeypatch.setattr("numpy.savez", no_space)
    blank = photographs / "blank.png"
    assert "No space left" in refused("match", blank, blank, "--output", tmp_path)
    assert earlier.read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["matches.npz"]


def make_bad_file(folder: Path, kind: str) -> Path:
    path = folder / "bad.png"
    if kind == "missing":
        return path
    if kind == "huge":
        header = struct.pack(">4sIIBBBBB", b"IHDR", 60_000, 60_000, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
        return path
    content = {"empty": b"", "text": b"not an image", "truncated": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"}
    path.write_bytes(content[kind])
    return path


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated", "huge"])
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
        (("--config", "slow"), "no preset slow; presets are for match: accurate"),
        (("--K0", "500,187,140"), "--K0 needs --K1"),
        (("--K1", "nowhere.txt"), "--K1 nowhere.txt"),
        (("--threads", "0"), "--threads"),
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


def test_weights_of_another_network_are_one_line(
    refused: Callable[..., str], photographs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"kenc.encoder.0.weight": torch.zeros(32, 3, 1)}, path)
    images = photographs / "a.jpg", photographs / "b.jpg"
    message = refused("match", *images, "--weights", path)
    assert "unexpected: kenc.encoder.0.weight" in message
    assert "posenc.Wr.weight" in message.partition("missing: ")[2]


@pytest.mark.parametrize("lines", [np.full((2, 2, 2), np.nan), np.zeros((3, 5)), np.array(["a"])])
def test_bad_lines_are_one_line(
    refused: Callable[..., str], photographs: Path, tmp_path: Path, lines: np.ndarray
) -> None:
    np.save(tmp_path / "lines.npy", lines)
    images = photographs / "a.jpg", photographs / "b.jpg"
    assert "lines.npy" in refused("match", *images, "--lines0", tmp_path / "lines.npy")


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


def test_an_overlay_is_written_if_asked(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    pair = photographs / "a.jpg", photographs / "b.jpg"
    options = ("--geometry", "fundamental", "--no-pictures", "--overlay", "--output", tmp_path)
    assert invoke("match", *pair, *options, *QUICK).exit_code == 0
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["trusted"]
    assert str(tmp_path / "overlay.png") in record["files"]
    with Image.open(tmp_path / "overlay.png") as picture:
        assert picture.width == 1600
