"""Keypoints of many images that take part in votes, on disk while they wait."""

import tempfile
from types import TracebackType

import numpy as np

from gluestick.viewpoint.turns.relative_turn import OrientedKeypoints


class SpilledKeypoints:
    """A list of keypoints in a temporary file, of which memory holds none.

    Use it in a ``with`` block, at whose end the file is gone.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._places: list[tuple[int, int, int]] = []  # offset, keypoints, size of descriptors

    def __enter__(self) -> "SpilledKeypoints":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def append(self, keypoints: OrientedKeypoints) -> None:
        """Add the keypoints of one image.

        Raises:
            OSError: If the disk is full.
        """
        offset = self._file.seek(0, 2)
        for array in (keypoints.positions, keypoints.orientations, keypoints.descriptors):
            self._file.write(np.ascontiguousarray(array, np.float32).tobytes())
        self._places.append((offset, *keypoints.descriptors.shape))

    def __getitem__(self, index: int) -> OrientedKeypoints:
        offset, count, size = self._places[index]
        self._file.seek(offset)
        flat = np.frombuffer(self._file.read(4 * count * (3 + size)), np.float32)
        positions, orientations, descriptors = np.split(flat, [2 * count, 3 * count])
        return OrientedKeypoints(
            positions=positions.reshape(count, 2),
            orientations=orientations,
            descriptors=descriptors.reshape(count, size),
        )
