from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from gluestick.tracking.frames import open_frames

RED = (255, 0, 0)


def write_image(path: Path, color: tuple[int, int, int] = RED, size: tuple[int, int] = (32, 24)):
    Image.new("RGB", size, color).save(path)


def write_video(path: Path, number: int, *, codec: str = "mp4v") -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 20, (32, 24))
    for index in range(number):
        picture = np.zeros((24, 32, 3), np.uint8)
        picture[..., 2] = 20 * (index % 10)  # red, in OpenCV's order
        writer.write(picture)
    writer.release()


def test_a_video_gives_its_frames_in_colour(tmp_path: Path):
    write_video(tmp_path / "red.mp4", 7)
    source = open_frames(tmp_path / "red.mp4", stride=2)
    frames = list(source)
    assert [frame.number for frame in frames] == [0, 2, 4, 6]
    assert source.rate == pytest.approx(10)
    assert not source.notes
    red, green, _ = frames[-1].image.mean(dim=(1, 2)) * 255
    assert red == pytest.approx(120, abs=8)
    assert green == pytest.approx(0, abs=8)


def test_a_video_that_was_cut_off_says_so(tmp_path: Path):
    write_video(tmp_path / "whole.avi", 60, codec="MJPG")
    content = (tmp_path / "whole.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(content[: len(content) // 2])
    source = open_frames(tmp_path / "cut.avi")
    number = len(list(source))
    assert 0 < number < 60
    assert source.notes == [f"cut.avi ends after {number} of 60 frames: it may be damaged"]


def test_a_folder_gives_its_images_in_order(tmp_path: Path):
    for number in (10, 9, 8):
        write_image(tmp_path / f"{number:03d}.png", (number, 0, 0))
    (tmp_path / "notes.txt").write_text("no frame")
    frames = list(open_frames(tmp_path, max_frames=2))
    assert [round(255 * frame.image[0, 0, 0].item()) for frame in frames] == [8, 9]
    assert [frame.number for frame in frames] == [0, 1]


def test_what_cannot_be_used_is_left_out_with_a_note(tmp_path: Path):
    for number in (0, 3):
        write_image(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"nothing")
    write_image(tmp_path / "2.png", size=(20, 20))
    source = open_frames(tmp_path)
    assert [frame.number for frame in source] == [0, 3]
    assert source.notes[0].startswith("1.png was left out: ")
    assert source.notes[1] == ("2.png was left out: it has 20 x 20 px, the first one has 32 x 24")


def test_bad_input_is_one_clear_error(tmp_path: Path):
    (tmp_path / "nothing.mp4").touch()
    with pytest.raises(ValueError, match="is an empty file"):
        open_frames(tmp_path / "nothing.mp4")
    write_video(tmp_path / "whole.mp4", 7)
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "whole.mp4").read_bytes()[:-400])
    with pytest.raises(ValueError, match="no video that OpenCV can read"):
        open_frames(tmp_path / "cut.mp4")
    with pytest.raises(ValueError, match="no video and no folder"):
        open_frames(tmp_path / "nowhere.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ValueError, match="no video that OpenCV can read"):
        open_frames(tmp_path / "text.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="needs frames"):
        open_frames(tmp_path / "empty")
    with pytest.raises(ValueError, match="stride needs to be at least 1, found 0"):
        open_frames(tmp_path, stride=0)


def test_numbers_in_names_count_by_their_size(tmp_path: Path):
    for number in (10, 2, 1):
        write_image(tmp_path / f"frame{number}.png", color=(20 * number, 0, 0))
    reds = [float(frame.image[0].mean()) * 255 for frame in open_frames(tmp_path)]
    assert reds == pytest.approx([20, 40, 200], abs=1)
