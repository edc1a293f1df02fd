"""Lists of image pairs whose cameras are known.

A line of SuperGlue's lists (arXiv 1911.11763) holds ``name0 name1 rot0 rot1 K0(9) K1(9)
T_0to1(16)``; those that glue-factory distributes leave out ``rot0 rot1``. Both are read, also
with a pose of 12 numbers, R and then t, in place of the 16 of a matrix.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gluestick.datasets.pair_lists import read_lines
from gluestick.storage.atomic import atomic_path
from gluestick.types import Camera, Pose

PAIRS_FILES = ("pairs_with_gt.txt", "pairs_calibrated.txt")
"""The usual names of lists; further ones end in ``_pairs_with_gt.txt``."""

_LAYOUTS = {36: (True, 16), 34: (False, 16), 32: (True, 12), 30: (False, 12)}
"""The number of values behind the names: whether turns are given, and the length of the pose."""

_ROTATION_TOLERANCE = 1e-2


@dataclass(frozen=True, kw_only=True)
class PosedPair:
    """Two images with known cameras.

    Attributes:
        name0: The path of image 0, relative to the data folder or to ``images/`` in it.
        name1: The path of image 1.
        camera0: Its calibration, for the pixels as they are stored in the file.
        camera1: That of image 1.
        pose_0to1: X1 = R X0 + t between the cameras of the stored images.
        quarters0: 0 to 3, how many turns by 90 degrees against the clock bring the stored
            image 0 upright.
        quarters1: The same for image 1.
    """

    name0: str
    name1: str
    camera0: Camera
    camera1: Camera
    pose_0to1: Pose
    quarters0: int = 0
    quarters1: int = 0


def find_pairs_file(folder: Path) -> Path | None:
    """Return the list of pairs in a folder, or None without one.

    Raises:
        ValueError: If there are several.
    """
    files = [folder / name for name in PAIRS_FILES if (folder / name).is_file()]
    files = files[:1] or sorted(folder.glob("*_pairs_with_gt.txt"))
    if len(files) > 1:
        names = ", ".join(path.name for path in files)
        raise ValueError(f"{folder} has several lists of pairs ({names}): keep one of them there")
    return files[0] if files else None


def read_posed_pairs(path: Path) -> list[PosedPair]:
    """Read a list of pairs.

    Rotations, which lists round, are replaced by the nearest true rotation. Empty lines and
    those that begin with ``#`` are left out.

    Args:
        path: The file.

    Returns:
        The pairs in the order of the file.

    Raises:
        ValueError: If the file is missing or empty, or a line is none of those described at
            the top of this module; the message names the line.
    """
    pairs = []
    for number, line in read_lines(path):
        try:
            pairs.append(_parse(line.split()))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    if not pairs:
        raise ValueError(f"{path} needs at least one pair, found none")
    return pairs


def write_posed_pairs(path: Path, pairs: Iterable[PosedPair]) -> None:
    """Write a list of pairs that :func:`read_posed_pairs` reads.

    Args:
        path: The file.
        pairs: The pairs, whose names have no spaces.

    Raises:
        OSError: If the file cannot be written.
    """
    lines = []
    for pair in pairs:
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = pair.pose_0to1.R, pair.pose_0to1.t
        values = np.concatenate([pair.camera0.K.ravel(), pair.camera1.K.ravel(), T.ravel()])
        turns = f"{pair.quarters0} {pair.quarters1}"
        numbers = " ".join(repr(float(value)) for value in values)
        lines.append(f"{pair.name0} {pair.name1} {turns} {numbers}\n")
    with atomic_path(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def find_image(folder: Path, name: str) -> Path:
    """Return the file of an image that a list names.

    Raises:
        ValueError: If it lies neither in the folder nor in ``images/`` in it.
    """
    for path in (folder / name, folder / "images" / name):
        if path.is_file():
            return path
    raise ValueError(f"there is no image {name} in {folder} or {folder / 'images'}")


def _parse(fields: list[str]) -> PosedPair:
    values = np.array([float(field) for field in fields[2:]])
    if len(values) not in _LAYOUTS:
        raise ValueError(
            "needs name0 name1 [rot0 rot1] K0(9) K1(9) T_0to1(16), which are 36 or 38 fields, "
            f"found {len(fields)}"
        )
    if not np.isfinite(values).all():
        raise ValueError("needs finite numbers, found NaN or infinity")
    turned, pose_length = _LAYOUTS[len(values)]
    turns, values = (values[:2], values[2:]) if turned else (np.zeros(2), values)
    if not np.isin(turns, (0, 1, 2, 3)).all():
        raise ValueError(f"rot0 and rot1 need to be 0, 1, 2 or 3, found {turns.tolist()}")
    return PosedPair(
        name0=fields[0],
        name1=fields[1],
        camera0=_camera("K0", values[:9]),
        camera1=_camera("K1", values[9:18]),
        pose_0to1=_pose(values[18:], pose_length),
        quarters0=int(turns[0]),
        quarters1=int(turns[1]),
    )


def _camera(name: str, values: np.ndarray) -> Camera:
    K = values.reshape(3, 3)
    expected = np.array([[K[0, 0], 0, K[0, 2]], [0, K[1, 1], K[1, 2]], [0, 0, 1]])
    if (expected != K).any() or min(K[0, 0], K[1, 1]) <= 0:
        raise ValueError(
            f"{name} needs the form [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with positive focal "
            f"lengths, found {K.tolist()}"
        )
    return Camera(K=K)


def _pose(values: np.ndarray, length: int) -> Pose:
    if length == 16:
        T = values.reshape(4, 4)
        R, t = T[:3, :3], T[:3, 3]
        if (T[3] != (0, 0, 0, 1)).any():
            raise ValueError(f"T_0to1 needs the last row 0 0 0 1, found {T[3].tolist()}")
    else:
        R, t = values[:9].reshape(3, 3), values[9:]
    return Pose(R=nearest_rotation(R), t=t)


def nearest_rotation(R: np.ndarray) -> np.ndarray:
    """Return the rotation nearest to a matrix that is one up to rounding.

    Args:
        R: [3, 3].

    Returns:
        [3, 3] float64.

    Raises:
        ValueError: If the matrix is far from any rotation.
    """
    if abs(R @ R.T - np.eye(3)).max() > _ROTATION_TOLERANCE or np.linalg.det(R) < 0:
        raise ValueError(f"a pose needs a rotation matrix, found {R.tolist()}")
    U, _, Vt = np.linalg.svd(R)
    return U @ Vt
