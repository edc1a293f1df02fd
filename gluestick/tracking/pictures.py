"""Frames with the tracks drawn on them, as a video."""

from collections import deque
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from torch import Tensor

from gluestick.tracking.tracker import FrameTracks
from gluestick.visualization.colors import identity_colors
from gluestick.visualization.inputs import to_rgb

_TRAIL = 10  # frames
_SHIFT = 4  # cv2 takes coordinates in sixteenths of a pixel
_REFERENCE_WIDTH = 640  # px; strokes are given for frames of this width
_CODEC = "mp4v"


class TrackPainter:
    """Draws points with their last positions, and lines, each track in a colour of its own."""

    def __init__(self) -> None:
        self._trails: dict[int, deque[np.ndarray]] = {}

    def draw(self, image: Tensor, shown: FrameTracks) -> np.ndarray:
        """Draw the next frame.

        Args:
            image: [3, H, W] in [0, 1], RGB.
            shown: The tracks in it.

        Returns:
            [H, W, 3] uint8, RGB.
        """
        picture = to_rgb(image)
        unit = max(1, round(picture.shape[1] / _REFERENCE_WIDTH))
        trails = {}
        for identity, point in zip(shown.point_identities.tolist(), shown.points, strict=True):
            trails[identity] = self._trails.get(identity, deque(maxlen=_TRAIL))
            trails[identity].append(point)
        self._trails = trails
        colors = identity_colors(shown.point_identities).tolist()
        for trail, color in zip(trails.values(), colors, strict=True):
            places = _fixed(np.stack(trail))
            cv2.polylines(picture, [places], False, color, unit, cv2.LINE_AA, _SHIFT)
            center = tuple(places[-1].tolist())
            cv2.circle(picture, center, 2 * unit << _SHIFT, color, -1, cv2.LINE_AA, _SHIFT)
        colors = identity_colors(shown.line_identities).tolist()
        for line, color in zip(_fixed(shown.lines), colors, strict=True):
            cv2.polylines(picture, [line], False, color, 2 * unit, cv2.LINE_AA, _SHIFT)
        return picture


class VideoFile:
    """An MP4 file that pictures are added to; it is complete once it is closed.

    Args:
        path: The file.
        rate: Frames per second.
        size: (width, height) px; an odd side loses its last row or column.

    Raises:
        ValueError: If this OpenCV cannot write videos, or not there.
        OSError: On leaving its ``with`` block, if the file lacks pictures.
    """

    def __init__(self, path: Path, *, rate: float, size: tuple[int, int]) -> None:
        self._path, self._count = path, 0
        self._size = size[0] // 2 * 2, size[1] // 2 * 2
        code = cv2.VideoWriter.fourcc(*_CODEC)
        self._writer = cv2.VideoWriter(str(path), code, rate, self._size)
        if not self._writer.isOpened():
            raise ValueError(
                f"OpenCV cannot write a video of {size[0]} x {size[1]} px here: use --no-video"
            )

    def __enter__(self) -> "VideoFile":
        """Return the file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, and check that it has all pictures."""
        self._writer.release()
        if error is not None:
            return
        written = cv2.VideoCapture(str(self._path))
        found = max(int(written.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        written.release()
        if found != self._count:
            raise OSError(f"{self._path.name} has {found} of {self._count} pictures: disk full?")

    def add(self, picture: np.ndarray) -> None:
        """Add a picture [H, W, 3] uint8, RGB."""
        width, height = self._size
        self._count += 1
        self._writer.write(cv2.cvtColor(picture[:height, :width], cv2.COLOR_RGB2BGR))


def _fixed(places: np.ndarray) -> np.ndarray:
    return np.round(places * 2**_SHIFT).astype(np.int32)
