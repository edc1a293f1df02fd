"""Photographs and a model without distortion, as multi-view stereo and splatting read them."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap, read_colmap_model
from gluestick.images.load import load_image
from gluestick.reconstruction.colmap.database import quiet_pycolmap

FILES = ("cameras.bin", "images.bin", "points3D.bin", "rigs.bin", "frames.bin")
_MARKER = "complete.txt"

_PROGRAM = """
import sys
from PIL import Image
Image.preinit()
import pycolmap
pycolmap.logging.minloglevel = int(pycolmap.logging.FATAL)
pycolmap.undistort_images(*sys.argv[1:4], num_threads=int(sys.argv[4]))
"""


def undistort(model: Path, image_dir: Path, output: Path, *, threads: int = 1) -> Path:
    """Write the photographs of a model as pinhole cameras see them, unless they are there.

    Args:
        model: The folder of the model.
        image_dir: Its photographs.
        output: The folder to write: ``images/``, ``sparse/`` and ``stereo/`` as COLMAP's
            ``image_undistorter`` does, and ``sparse/0/``, where programs for splatting look.
        threads: Processors.

    Returns:
        ``output``.

    Raises:
        ValueError: If a photograph is in a format that pycolmap does not read, or the disk is
            full.
        ImportError: If pycolmap is missing.
    """
    pycolmap = import_pycolmap("undistorting photographs")
    quiet_pycolmap(pycolmap)
    reconstruction = read_colmap_model(model)
    key = "\n".join(
        f"{image.name} {reconstruction.cameras[image.camera_id].params_to_string()} "
        f"{image.cam_from_world().params.tolist()}"
        for image in reconstruction.images.values()
        if image.has_pose
    )
    marker = output / _MARKER
    if marker.is_file() and marker.read_text(encoding="utf-8") == key:
        return output
    _check_readable(pycolmap, reconstruction, image_dir)
    scratch = output.with_name(f".{output.name}-new")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        _run_undistorter(scratch, model, image_dir, threads)
        _check_written(reconstruction, scratch)
    except ValueError:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    (scratch / "sparse" / "0").mkdir()
    for name in FILES:
        if (scratch / "sparse" / name).is_file():
            shutil.copy(scratch / "sparse" / name, scratch / "sparse" / "0" / name)
    (scratch / _MARKER).write_text(key, encoding="utf-8")
    shutil.rmtree(output, ignore_errors=True)
    scratch.rename(output)
    return output


def _run_undistorter(scratch: Path, model: Path, image_dir: Path, threads: int) -> None:
    """Run COLMAP's undistorter in a process of its own, which it ends where it cannot write."""
    arguments = (scratch, model, image_dir, threads)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *map(str, arguments)], capture_output=True, text=True
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise ValueError(f"undistorting the photographs failed: {said[-1] if said else 'killed'}")


def _check_written(reconstruction: Any, scratch: Path) -> None:
    """Check what COLMAP wrote, since it says nothing where the disk is full."""
    read_colmap_model(scratch / "sparse")
    for image in reconstruction.images.values():
        if image.has_pose:
            load_image(scratch / "images" / image.name)


def _check_readable(pycolmap: Any, reconstruction: Any, image_dir: Path) -> None:
    for image in reconstruction.images.values():
        if not image.has_pose:
            continue
        try:
            pycolmap.infer_camera_from_image(str(image_dir / image.name))
        except ValueError as error:
            raise ValueError(
                f"COLMAP does not read {image_dir / image.name}, so it cannot be undistorted: "
                "convert it to JPEG or PNG"
            ) from error
