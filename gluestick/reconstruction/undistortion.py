"""Photographs and a model without distortion, as multi-view stereo and splatting read them."""

import shutil
from pathlib import Path
from typing import Any

from gluestick.datasets.posed.colmap_model import import_pycolmap, read_colmap_model
from gluestick.reconstruction.colmap.database import colmap_errors, quiet_pycolmap

FILES = ("cameras.bin", "images.bin", "points3D.bin", "rigs.bin", "frames.bin")
_MARKER = "complete.txt"


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
    with colmap_errors("undistorting the photographs"):
        pycolmap.undistort_images(str(scratch), str(model), str(image_dir), num_threads=threads)
    (scratch / "sparse" / "0").mkdir()
    for name in FILES:
        if (scratch / "sparse" / name).is_file():
            shutil.copy(scratch / "sparse" / name, scratch / "sparse" / "0" / name)
    (scratch / _MARKER).write_text(key, encoding="utf-8")
    shutil.rmtree(output, ignore_errors=True)
    scratch.rename(output)
    return output


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
