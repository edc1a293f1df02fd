import numpy as np
import pytest
import torch

from gluestick.checks import ShapeError
from gluestick.types.cameras import Camera, as_camera

K = np.array([[500.0, 0, 320], [0, 510.0, 240], [0, 0, 1]])


def test_a_matrix_is_a_camera() -> None:
    for value in (K, torch.tensor(K, requires_grad=True), K.tolist()):
        camera = as_camera(value, name="camera")
        np.testing.assert_array_equal(camera.K, K)
        assert not camera.is_distorted
    camera = Camera(K=K, distortion=(0.1,))
    assert as_camera(camera).distortion == camera.distortion
    assert as_camera(Camera(K=torch.eye(3))).K.dtype == np.float64  # type: ignore[arg-type]
    assert camera.distortion == (0.1, 0, 0, 0, 0)
    assert camera.is_distorted


@pytest.mark.parametrize("value", [None, "K.txt", np.eye(4), [1.0, 2.0]])
def test_what_is_no_camera_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"camera1 needs a Camera"):
        as_camera(value, name="camera1")  # type: ignore[arg-type]


def test_distortion_of_other_lenses_is_refused() -> None:
    with pytest.raises(ValueError, match="k1, k2, p1, p2, k3"):
        Camera(K=K, distortion=(0.1,) * 8)
    with pytest.raises(ValueError, match="finite"):
        Camera(K=K, distortion=(np.nan,))
    with pytest.raises(ShapeError):
        Camera(K=np.eye(2))


@pytest.mark.parametrize(
    ("model", "params", "distortion"),
    [
        ("SIMPLE_PINHOLE", (500, 320, 240), (0, 0, 0, 0, 0)),
        ("PINHOLE", (500, 500, 320, 240), (0, 0, 0, 0, 0)),
        ("SIMPLE_RADIAL", (500, 320, 240, 0.1), (0.1, 0, 0, 0, 0)),
        ("RADIAL", (500, 320, 240, 0.1, -0.02), (0.1, -0.02, 0, 0, 0)),
        ("OPENCV", (500, 500, 320, 240, 0.1, -0.02, 1e-3, 2e-3), (0.1, -0.02, 1e-3, 2e-3, 0)),
    ],
)
def test_cameras_of_colmap(
    model: str, params: tuple[float, ...], distortion: tuple[float, ...]
) -> None:
    """COLMAP's pixels begin at the corner: the principal point lies half a pixel further."""
    camera = Camera.from_colmap(model, params)
    np.testing.assert_array_equal(camera.K, [[500, 0, 319.5], [0, 500, 239.5], [0, 0, 1]])
    assert camera.distortion == distortion


def test_other_cameras_of_colmap_are_refused() -> None:
    with pytest.raises(ValueError, match="image_undistorter"):
        Camera.from_colmap("FOV", (1, 2, 3, 4, 5))
    with pytest.raises(ValueError, match="RADIAL needs 5 parameters, found 4"):
        Camera.from_colmap("RADIAL", (1, 2, 3, 4))
