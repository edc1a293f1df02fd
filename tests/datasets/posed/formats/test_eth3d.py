from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from gluestick.datasets.posed.formats.colmap_text import ColmapCamera
from gluestick.datasets.posed.formats.eth3d import (
    is_eth3d,
    list_eth3d_pairs,
    thin_prism_fisheye,
    undistorted_depth,
)
from gluestick.types import Camera

SIZE = (160, 120)
PARAMS = np.array([150.0, 148.0, 81.0, 59.0, 0.1, 0.02, 1e-3, -2e-3, 5e-3, -1e-3, 2e-4, -1e-4])
NO_DISTORTION = np.array([150.0, 150.0, 80.0, 60.0, *np.zeros(8)])


def scene(root: Path, *, depth: str = "png") -> Path:
    """Write three images, of which the first two share 5 points and the others none."""
    folder = root / "office"
    for name in ("dslr_calibration_undistorted", "dslr_calibration_jpg"):
        (folder / name).mkdir(parents=True)
    numbers = " ".join(str(value) for value in NO_DISTORTION)
    (folder / "dslr_calibration_jpg" / "cameras.txt").write_text(
        f"7 THIN_PRISM_FISHEYE {SIZE[0]} {SIZE[1]} {numbers}\n"
    )
    (folder / "dslr_calibration_undistorted" / "cameras.txt").write_text(
        f"0 PINHOLE {SIZE[0]} {SIZE[1]} 150 150 80 60\n"
    )
    images, distorted = [], []
    for index, points in enumerate((range(6), range(1, 9), range(20, 30))):
        observed = " ".join(f"1 2 {number}" for number in points)
        images.append(f"{index} 1 0 0 0 {index} 0 0 0 dslr_images_undistorted/{index}.JPG")
        images.append(observed)
        distorted += [f"{index} 1 0 0 0 {index} 0 0 7 dslr_images/{index}.JPG", ""]
        path = folder / "images" / "dslr_images_undistorted" / f"{index}.JPG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*SIZE[::-1], 3), 40 * index, dtype=np.uint8)).save(path)
        if depth == "png":
            path = folder / "ground_truth_depth" / "undistorted_depth" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((15, 20), 256 * (index + 1), dtype=np.uint16))
        else:
            path = folder / "ground_truth_depth" / "dslr_images" / f"{index}.JPG"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = np.full(SIZE[::-1], index + 1, dtype="<f4")
            values[:, :80] = np.inf
            values.tofile(path)
    (folder / "dslr_calibration_undistorted" / "images.txt").write_text("\n".join(images))
    (folder / "dslr_calibration_jpg" / "images.txt").write_text("\n".join(distorted))
    return folder


@pytest.mark.parametrize("depth", ["png", "raw"])
def test_pairs_that_share_enough_points(tmp_path: Path, depth: str) -> None:
    folder = scene(tmp_path, depth=depth)
    for start in (tmp_path, folder):
        assert is_eth3d(start)
        (pair,) = list_eth3d_pairs(start, min_covisibility=5)
        assert pair.name == "office/0|1"
    assert pair.pose_0to1.t.tolist() == [1, 0, 0]
    assert pair.view1.camera.K.tolist() == [[18.75, 0, 9.5], [0, 18.75, 7], [0, 0, 1]]
    assert pair.view0.load_image().shape == (3, 15, 20)
    values = pair.view1.read_depth()
    assert values.shape == (15, 20)
    if depth == "png":
        assert (values == 2).all()
    else:
        assert (values[:, 10:] == 2).all()
        assert (values[:, :10] == 0).all()


def test_too_few_points_and_missing_files(tmp_path: Path) -> None:
    folder = scene(tmp_path)
    with pytest.raises(ValueError, match="share 6 points"):
        list_eth3d_pairs(tmp_path, min_covisibility=6)
    (folder / "images" / "dslr_images_undistorted" / "1.JPG").unlink()
    with pytest.raises(ValueError, match="no image"):
        list_eth3d_pairs(tmp_path, min_covisibility=5)
    assert not is_eth3d(tmp_path / "office" / "images")


def test_distortion_is_that_of_colmap() -> None:
    pycolmap = pytest.importorskip("pycolmap", reason="compares with pycolmap (extra sfm)")
    camera = pycolmap.Camera(
        model="THIN_PRISM_FISHEYE", width=SIZE[0], height=SIZE[1], params=PARAMS
    )
    rays = np.random.default_rng(0).uniform(-0.5, 0.5, size=(50, 2))
    rays[0] = 0
    expected = camera.img_from_cam(np.column_stack([rays, np.ones(50)]))
    np.testing.assert_allclose(thin_prism_fisheye(rays, PARAMS), expected, atol=1e-9)


def test_depth_follows_the_distortion(tmp_path: Path) -> None:
    """Depth that tells its own column is found where the distorted camera sees the ray."""
    path = tmp_path / "depth.JPG"
    columns = np.tile(np.arange(1, SIZE[0] + 1, dtype="<f4"), (SIZE[1], 1))
    columns.tofile(path)
    distorted = ColmapCamera(model="THIN_PRISM_FISHEYE", image_size=SIZE, params=PARAMS)
    K = np.array([[30.0, 0, 15.5], [0, 30, 11.5], [0, 0, 1]])
    depth = undistorted_depth(path, distorted=distorted, camera=Camera(K=K), image_size=(32, 24))
    seen = thin_prism_fisheye(np.array([[(20 - 15.5) / 30, (5 - 11.5) / 30]]), PARAMS)[0]
    assert depth[5, 20] == np.floor(seen[0]) + 1
    with pytest.raises(ValueError, match="float32 values"):
        undistorted_depth(
            tmp_path / "missing", distorted=distorted, camera=Camera(K=K), image_size=(32, 24)
        )
    with pytest.raises(ValueError, match="12 parameters"):
        thin_prism_fisheye(np.zeros((1, 2)), PARAMS[:4])
