"""Calibrations as the command line takes them: files, numbers, or what EXIF says."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluestick.pair_run.cameras import exif_camera
from gluestick.types import Camera

_FORMS = (
    "a file with K as 3 x 3 numbers (text or .npy), or the numbers f,cx,cy or fx,fy,cx,cy in px, "
    "then OpenCV's k1,k2,p1,p2,k3 if wanted"
)


def find_cameras(
    given: Sequence[str | None], images: Sequence[Path]
) -> tuple[Camera, Camera] | None:
    """Return the calibrations of a pair, or None where they are not known.

    Args:
        given: What ``--K0`` and ``--K1`` say, or None.
        images: The files of the images, whose EXIF focal lengths are taken for what is not
            given, with the principal point in the middle.

    Raises:
        ValueError: If a calibration is none, or only that of one image is known although it was
            given.
    """
    cameras = [
        exif_camera(image) if value is None else parse_camera(value, option=f"--K{side}")
        for side, (value, image) in enumerate(zip(given, images, strict=True))
    ]
    if cameras[0] is not None and cameras[1] is not None:
        return cameras[0], cameras[1]
    for side, value in enumerate(given):
        if value is not None:
            other = 1 - side
            raise ValueError(
                f"--K{side} needs --K{other} beside it: {images[other]} has no focal length in EXIF"
            )
    return None


def parse_camera(value: str, *, option: str) -> Camera:
    """Return the calibration that a file or a list of numbers holds.

    Args:
        value: The path of a file, or numbers separated by commas.
        option: What the value was given to, for messages.

    Raises:
        ValueError: If it is neither.
    """
    path = Path(value)
    if path.is_file():
        return _from_file(path, option=option)
    try:
        numbers = [float(number) for number in value.split(",")]
    except ValueError as error:
        raise ValueError(
            f"{option} {value} is neither a file nor numbers: it needs {_FORMS}"
        ) from error
    if len(numbers) == 3:
        numbers.insert(0, numbers[0])
    if not 4 <= len(numbers) <= 9:
        raise ValueError(f"{option} {value} has {len(numbers)} numbers: it needs {_FORMS}")
    fx, fy, cx, cy, *distortion = numbers
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    return _checked(Camera(K=K, distortion=tuple(distortion)), f"{option} {value}")


def _from_file(path: Path, *, option: str) -> Camera:
    try:
        if path.suffix == ".npy":
            K = np.load(path, allow_pickle=False)
        else:
            K = np.array(path.read_text(encoding="utf-8-sig").replace(",", " ").split(), float)
        K = np.asarray(K, dtype=np.float64).reshape(3, 3)
    except (OSError, EOFError, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{option} {path} holds no calibration: it needs {_FORMS}") from error
    return _checked(Camera(K=K), f"{option} {path}")


def _checked(camera: Camera, source: str) -> Camera:
    K = camera.K
    expected = np.array([[K[0, 0], 0, K[0, 2]], [0, K[1, 1], K[1, 2]], [0, 0, 1]])
    if not np.isfinite(K).all() or (expected != K).any() or min(K[0, 0], K[1, 1]) <= 0:
        raise ValueError(
            f"{source} needs the form [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with positive focal "
            f"lengths in px, found {K.tolist()}"
        )
    return camera
