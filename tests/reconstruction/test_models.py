import pytest

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.reconstruction.models import leave_out_weakly_placed
from gluestick.reconstruction.outcome import LEAST_OBSERVATIONS

pytest.importorskip("pycolmap", reason="pycolmap is missing: install the extra sfm")


@pytest.mark.parametrize(("left", "expected"), [(LEAST_OBSERVATIONS - 1, 3), (15, 4)])
def test_a_photograph_that_hardly_sees_the_model_is_left_out(left: int, expected: int) -> None:
    pycolmap = import_pycolmap("a test")
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig = 4, 1
    options.num_frames_per_rig, options.num_points3D = 1, 60
    pycolmap.set_random_seed(0)
    model = pycolmap.synthesize_dataset(options)
    weak = min(model.images.values(), key=lambda image: image.name)
    seen = [index for index, point in enumerate(weak.points2D) if point.has_point3D()]
    for index in seen[left:]:
        model.delete_observation(weak.image_id, index)
    names = leave_out_weakly_placed(model)
    assert names == ([weak.name] if expected == 3 else [])
    assert model.num_reg_images() == expected
    placed = [image for image in model.images.values() if image.has_pose]
    assert all(image.num_points3D >= LEAST_OBSERVATIONS for image in placed)
    assert leave_out_weakly_placed(model) == []
