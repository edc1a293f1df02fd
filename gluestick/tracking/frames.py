"""The frames of a video, or of a folder of images, one after the other."""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import cv2
import torch
from torch import Tensor

from gluestick.datasets.photographs import SUFFIXES
from gluestick.images.load import load_image

FOLDER_RATE = 10.0
"""Frames per second of folders, which do not say."""

_FFMPEG_MESSAGES, _NO_MESSAGES = "OPENCV_FFMPEG_LOGLEVEL", "-8"
"""What keeps FFmpeg from writing to stderr; it is read with the first video."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame.

    Attributes:
        number: Which one of the video or of the folder, from 0.
        image: [3, H, W] float32 in [0, 1], RGB.
    """

    number: int
    image: Tensor


class FrameSource(Protocol):
    """Frames in their order; those that cannot be used are left out.

    Attributes:
        rate: Frames per second of those that are given.
        notes: What was left out and why, filled while the frames are read.
    """

    rate: float
    notes: list[str]

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames, all of one size."""


@dataclass
class _Steps:
    """Which frames are taken.

    Attributes:
        stride: Every so many.
        max_frames: How many at most, or None for all.
        notes: What was left out and why.
        taken: How many have been taken.
        size: (width, height) px of the first one.
    """

    stride: int
    max_frames: int | None
    notes: list[str] = field(default_factory=list)
    taken: int = 0
    size: tuple[int, int] | None = None

    def wants(self, number: int) -> bool:
        """Return whether a frame is to be read."""
        return number % self.stride == 0

    @property
    def done(self) -> bool:
        """Whether no further frame is to be read."""
        return self.max_frames is not None and self.taken >= self.max_frames

    def accept(self, image: Tensor, name: str) -> bool:
        """Count a frame, and return False for one of another size than the first one's."""
        size = image.shape[2], image.shape[1]
        self.size = self.size or size
        if size != self.size:
            self.notes.append(
                f"{name} was left out: it has {size[0]} x {size[1]} px, the first one has "
                f"{self.size[0]} x {self.size[1]}"
            )
            return False
        self.taken += 1
        return True


class VideoFrames:
    """The frames of a video file, decoded by OpenCV one at a time.

    Args:
        path: The file.
        stride: Every so many frames are taken.
        max_frames: How many at most, or None for all.

    Raises:
        ValueError: If it is no video that can be read.
    """

    def __init__(self, path: Path, *, stride: int, max_frames: int | None) -> None:
        if not path.stat().st_size:
            raise ValueError(f"{path} is an empty file: fetch or export it again")
        os.environ.setdefault(_FFMPEG_MESSAGES, _NO_MESSAGES)
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise ValueError(f"{path} is no video that OpenCV can read")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        known = math.isfinite(rate) and 0 < rate < 1000
        self.rate = (rate if known else FOLDER_RATE) / stride
        self._path, self._steps = path, _Steps(stride=stride, max_frames=max_frames)
        self.notes = self._steps.notes

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        steps, number = self._steps, 0
        try:
            while not steps.done and self._capture.grab():
                if steps.wants(number):
                    read, pixels = self._capture.retrieve()
                    if not read or pixels is None:
                        steps.notes.append(f"frame {number} was left out: it cannot be decoded")
                    else:
                        image = _to_image(pixels)
                        if steps.accept(image, f"frame {number}"):
                            yield Frame(number=number, image=image)
                number += 1
            expected = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
            if not steps.done and number < expected:
                steps.notes.append(
                    f"{self._path.name} ends after {number} of {expected} frames: it may be damaged"
                )
        finally:
            self._capture.release()


class FolderFrames:
    """The images of a folder in the order of their names, numbers in these by their size.

    Args:
        path: The folder; folders below it are not looked into.
        stride: Every so many images are taken.
        max_frames: How many at most, or None for all.

    Raises:
        ValueError: If it holds no image.
    """

    def __init__(self, path: Path, *, stride: int, max_frames: int | None) -> None:
        files = [
            file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file()
        ]
        self._files = sorted(files, key=lambda file: (_in_order(file.name), file.name))
        if not self._files:
            raise ValueError(f"{path} needs frames (.jpg, .png, .tif and others), found none")
        self.rate = FOLDER_RATE
        self._steps = _Steps(stride=stride, max_frames=max_frames)
        self.notes = self._steps.notes

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        steps = self._steps
        for number, file in enumerate(self._files):
            if steps.done:
                return
            if not steps.wants(number):
                continue
            try:
                image = load_image(file)
            except ValueError as error:
                steps.notes.append(f"{file.name} was left out: {error}")
                continue
            if steps.accept(image, file.name):
                yield Frame(number=number, image=image)


def open_frames(path: Path, *, stride: int = 1, max_frames: int | None = None) -> FrameSource:
    """Open a video or a folder of frames.

    Args:
        path: A video file, or a folder of images, whose names say their order.
        stride: Every so many frames are taken.
        max_frames: How many at most, or None for all.

    Raises:
        ValueError: If there is no such file or folder, it has no frames, or a number is below 1.
    """
    for name, value in (("stride", stride), ("max_frames", max_frames)):
        if value is not None and value < 1:
            raise ValueError(f"{name} needs to be at least 1, found {value}")
    if path.is_dir():
        return FolderFrames(path, stride=stride, max_frames=max_frames)
    if not path.is_file():
        raise ValueError(f"there is no video and no folder {path}")
    return VideoFrames(path, stride=stride, max_frames=max_frames)


def _in_order(name: str) -> list[tuple[str, int]]:
    """Return what sorts ``frame2`` before ``frame10``."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)([0-9]*)", name)]


def _to_image(pixels: cv2.typing.MatLike) -> Tensor:
    """Convert [H, W, 3] uint8, BGR, to [3, H, W] in [0, 1], RGB."""
    rgb = torch.from_numpy(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    return rgb.permute(2, 0, 1).contiguous().float() / 255
