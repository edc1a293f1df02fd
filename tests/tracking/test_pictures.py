from pathlib import Path

import cv2
import numpy as np
import pytest

from gluestick.tracking.pictures import VideoFile


def test_a_video_has_all_its_pictures(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with VideoFile(path, rate=10, size=(65, 48)) as film:
        for value in (0, 128, 255):
            film.add(np.full((48, 65, 3), value, np.uint8))
    read = cv2.VideoCapture(str(path))
    means = [read.read()[1].mean() for _ in range(3)]
    assert means == pytest.approx([0, 128, 255], abs=4)
    assert not read.read()[0]


def test_a_video_that_lacks_pictures_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    film = VideoFile(path, rate=10, size=(64, 48))
    film.add(np.zeros((48, 64, 3), np.uint8))
    path.unlink()
    with pytest.raises(OSError, match=r"film.mp4 has 0 of 1 pictures"):
        film.__exit__(None, None, None)
