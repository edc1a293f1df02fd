import cv2
import pytest

from gluestick.features.lines.edlines import EDLines


def test_plain_opencv_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "ximgproc")
    with pytest.raises(ValueError, match="install opencv-contrib-python-headless"):
        EDLines()
