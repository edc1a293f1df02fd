import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from moving_picture import SIZE, moving_picture
from PIL import Image
from typer.testing import Result

from gluestick.tracking import read_tracks_npz

SMALL = ("--max-num-keypoints", "100", "--max-num-lines", "40")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    """Four frames, and one that cannot be read."""
    path = tmp_path_factory.mktemp("frames")
    for number, frame in enumerate(moving_picture(assets, 4)[0]):
        pixels = (frame * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(path / f"{number}.png")
    (path / "2a.png").write_bytes(b"nothing")
    return path


def test_a_folder_and_a_video_of_it_give_much_the_same(
    invoke: Callable[..., Result], folder: Path, tmp_path: Path
) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "video.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, SIZE)
    for number in range(4):
        writer.write(cv2.imread(str(folder / f"{number}.png")))
    writer.release()
    found = []
    for name, source in (("folder", folder), ("video", tmp_path / "video.avi")):
        result = invoke("track", source, "--output", tmp_path / name, *SMALL)
        assert result.exit_code == 0, result.output
        assert "4 frames" in result.output
        assert ("Note: 2a.png was left out" in result.output) == (name == "folder")
        found.append(read_tracks_npz(tmp_path / name / "tracks.npz"))
    for kind, least in (("point", 40), ("line", 15)):
        numbers = [tracks.count(kind) for tracks in found]
        assert min(numbers) > least
        assert abs(numbers[0] - numbers[1]) < 0.3 * max(numbers)
    assert {*found[0].frames.tolist()} == {0, 1, 2, 4}
    record = json.loads((tmp_path / "folder" / "run.json").read_text("utf-8"))
    assert record["frames"] == 4
    assert record["settings"]["model"] == "xfeat-lsd"
    assert record["tracks"]["point"]["tracks"] == found[0].count("point")
    with (tmp_path / "folder" / "tracks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["identity"]) for row in rows] == found[0].identities.tolist()
    capture = cv2.VideoCapture(str(tmp_path / "folder" / "tracks.mp4"))
    pictures = []
    while (read := capture.read())[0]:
        pictures.append(read[1])
    assert [picture.shape for picture in pictures] == [(SIZE[1], SIZE[0], 3)] * 4
    plain = cv2.imread(str(folder / "3.png"))
    assert np.abs(pictures[-1].astype(int) - plain).mean() > 3  # something is drawn


def test_without_video_none_is_written(
    invoke: Callable[..., Result], folder: Path, tmp_path: Path
) -> None:
    result = invoke(
        "track", folder, "--output", tmp_path, "--no-video", "--stride", "2", *SMALL,
        "--line-detector", "none",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "tracks.mp4").exists()
    assert {*read_tracks_npz(tmp_path / "tracks.npz").frames.tolist()} == {0, 2, 4}


def test_bad_input_is_one_line(refused: Callable[..., str], folder: Path, tmp_path: Path) -> None:
    assert "no video and no folder" in refused("track", tmp_path / "nowhere.mp4")
    output = tmp_path / "output"
    line = refused("track", folder, "--max-frames", "1", "--output", output, *SMALL)
    assert "tracks need at least two frames, found 1" in line
    assert not output.exists()
    assert "as they are" in refused("track", folder, "pipeline.view=turn", "--output", output)
    assert "keyframe_every" in refused("track", folder, "--keyframe-every", "1")
