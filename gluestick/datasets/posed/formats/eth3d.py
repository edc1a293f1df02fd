"""The multi-view images of ETH3D (Schöps et al., CVPR 2017), as line matching is measured on.

Two arrangements of a scene's folder are read. Both have ``images/`` and
``dslr_calibration_undistorted/`` with COLMAP's ``cameras.txt`` and ``images.txt``.

- That which glue-factory distributes has depth for the images without distortion, at an
  eighth of their size: ``ground_truth_depth/undistorted_depth/*.png``, 1/256 m.
- That of eth3d.net has depth for the distorted images, at full size:
  ``ground_truth_depth/dslr_images/*``, raw little-endian float32 in rows, m, infinite where
  unknown. ``dslr_calibration_jpg/`` then tells the distortion.
"""

from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from gluestick.datasets.posed.depth_views import (
    DepthReader,
    DepthView,
    DepthViewPair,
    read_depth_png,
    relative_pose,
)
from gluestick.datasets.posed.formats.colmap_text import (
    ColmapCamera,
    ColmapImage,
    pinhole_camera,
    read_cameras_text,
    read_images_text,
)
from gluestick.types import Camera

_UNDISTORTED = "dslr_calibration_undistorted"
_DISTORTED = "dslr_calibration_jpg"
_DEPTH = "ground_truth_depth"
_PNG_UNIT = 1 / 256


def is_eth3d(folder: Path) -> bool:
    """Tell whether a folder is a scene of ETH3D, or holds some."""
    return bool(_scenes(folder))


def list_eth3d_pairs(
    folder: Path, *, min_covisibility: int = 500, downsize: int = 8
) -> list[DepthViewPair]:
    """Return all pairs of images of each scene that share enough points in space.

    Args:
        folder: A scene, or a folder of scenes.
        min_covisibility: How many points both images need to observe. GlueStick's evaluation
            takes 500.
        downsize: What images are divided by. Where depth comes as images without distortion,
            its size decides.

    Returns:
        The pairs, scene by scene, in alphabetical order.

    Raises:
        ValueError: If something is missing or damaged, or no pair is left.
    """
    pairs = []
    for scene in _scenes(folder):
        views = _views(scene, downsize)
        for (name0, image0), (name1, image1) in combinations(sorted(views.items()), 2):
            if len(image0[0].point3d_ids & image1[0].point3d_ids) < min_covisibility:
                continue
            pairs.append(
                DepthViewPair(
                    name=f"{scene.name}/{Path(name0).stem}|{Path(name1).stem}",
                    scene=scene.name,
                    view0=image0[1],
                    view1=image1[1],
                    pose_0to1=relative_pose(image0[0].cam_from_world, image1[0].cam_from_world),
                )
            )
    if not pairs:
        raise ValueError(
            f"{folder} has no pair of images with depth that share {min_covisibility} points"
        )
    return pairs


def undistorted_depth(
    path: Path, *, distorted: ColmapCamera, camera: Camera, image_size: tuple[int, int]
) -> np.ndarray:
    """Read depth of a distorted image and arrange it as that of one without distortion.

    Args:
        path: Raw float32 values of the distorted image.
        distorted: Its camera, of the model ``THIN_PRISM_FISHEYE``.
        camera: The camera without distortion, in the same place.
        image_size: Its (width, height) px.

    Returns:
        [H, W] float32, the depth at the nearest pixel, 0 where unknown.

    Raises:
        ValueError: If the file is missing or does not have the camera's size.
    """
    width, height = distorted.image_size
    values = np.fromfile(path, dtype="<f4") if path.is_file() else np.zeros(0, np.float32)
    if values.size != width * height:
        raise ValueError(
            f"{path} needs {width} x {height} float32 values, found {values.size}: it may belong "
            "to other images"
        )
    x, y = np.meshgrid(*(np.arange(size, dtype=np.float64) for size in image_size))
    K = camera.K
    rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1]], axis=-1)  # [H, W, 2]
    position = np.floor(thin_prism_fisheye(rays, distorted.params)).astype(np.int64)
    column, row = position[..., 0], position[..., 1]
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    found = values.reshape(height, width)[row.clip(0, height - 1), column.clip(0, width - 1)]
    return np.where(inside & np.isfinite(found) & (found > 0), found, 0).astype(np.float32)


def thin_prism_fisheye(rays: np.ndarray, params: np.ndarray) -> np.ndarray:
    """Project rays into a camera of COLMAP's model ``THIN_PRISM_FISHEYE``.

    Args:
        rays: [..., 2], (x/z, y/z) in the camera's frame.
        params: [12], fx, fy, cx, cy, k1, k2, p1, p2, k3, k4, sx1, sy1.

    Returns:
        [..., 2] px, with (0, 0) at the image's corner.

    Raises:
        ValueError: If there are not 12 parameters.
    """
    if len(params) != 12:
        raise ValueError(f"THIN_PRISM_FISHEYE needs 12 parameters, found {len(params)}")
    fx, fy, cx, cy, k1, k2, p1, p2, k3, k4, sx1, sy1 = params
    radius = np.linalg.norm(rays, axis=-1, keepdims=True)
    angle = np.arctan(radius)
    ratio = np.divide(angle, radius, out=np.ones_like(radius), where=radius > 1e-12)
    u, v = np.moveaxis(rays * ratio, -1, 0)
    r2 = u**2 + v**2
    radial = r2 * (k1 + r2 * (k2 + r2 * (k3 + r2 * k4)))
    du = u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u**2) + sx1 * r2
    dv = v * radial + 2 * p2 * u * v + p1 * (r2 + 2 * v**2) + sy1 * r2
    return np.stack([fx * (u + du) + cx, fy * (v + dv) + cy], axis=-1)


def _scenes(folder: Path) -> list[Path]:
    if (folder / _UNDISTORTED).is_dir():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{_UNDISTORTED}") if path.is_dir())


def _views(scene: Path, downsize: int) -> dict[str, tuple[ColmapImage, DepthView]]:
    """Return the images of a scene that have depth, by name."""
    cameras = read_cameras_text(scene / _UNDISTORTED / "cameras.txt")
    images = read_images_text(scene / _UNDISTORTED / "images.txt")
    distorted = _distorted_cameras(scene)
    views = {}
    for name, image in images.items():
        if image.camera_id not in cameras:
            raise ValueError(f"{scene / _UNDISTORTED} lacks the camera of {name}")
        camera = cameras[image.camera_id]
        png = scene / _DEPTH / "undistorted_depth" / f"{Path(name).stem}.png"
        raw = scene / _DEPTH / "dslr_images" / Path(name).name
        if png.is_file():
            with Image.open(png) as opened:
                size = opened.size
            pinhole = pinhole_camera(camera, image_size=size)
            reader: DepthReader = partial(read_depth_png, png, unit=_PNG_UNIT)
        elif raw.is_file() and raw.name in distorted:
            width, height = (max(1, length // downsize) for length in camera.image_size)
            size = (width, height)
            pinhole = pinhole_camera(camera, image_size=size)
            reader = partial(
                undistorted_depth,
                raw,
                distorted=distorted[raw.name],
                camera=pinhole,
                image_size=size,
            )
        else:
            continue
        views[name] = (
            image,
            DepthView(
                image=_image_file(scene, name), read_depth=reader, camera=pinhole, image_size=size
            ),
        )
    return views


def _distorted_cameras(scene: Path) -> dict[str, ColmapCamera]:
    folder = scene / _DISTORTED
    if not (folder / "cameras.txt").is_file():
        return {}
    cameras = read_cameras_text(folder / "cameras.txt")
    images = read_images_text(folder / "images.txt").values()
    return {
        Path(image.name).name: cameras[image.camera_id]
        for image in images
        if image.camera_id in cameras
    }


def _image_file(scene: Path, name: str) -> Path:
    path = scene / "images" / name
    if not path.is_file():
        raise ValueError(f"there is no image {path}")
    return path
