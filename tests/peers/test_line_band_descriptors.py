import pytest
import torch
from rendered_scenes import patchwork

from gluestick.checks import ShapeError
from gluestick.features.protocols import PointDetector
from gluestick.peers.line_band_descriptors import LineBandDescriptors

LINES = torch.tensor([[[10.0, 10.0], [70.0, 30.0]], [[20.0, 80.0], [100.0, 60.0]]])


def test_describes_segments_from_both_endpoints() -> None:
    describer, image = LineBandDescriptors(), patchwork(96, 128)
    assert isinstance(describer, PointDetector)
    points = describer.detect(image)
    assert points.keypoints.shape == (0, 2)
    assert points.descriptors.shape == (0, 72)
    forth = points.describe(LINES.reshape(-1, 2))
    back = points.describe(LINES.flip(1).reshape(-1, 2))
    torch.testing.assert_close(forth.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(forth.view(2, 2, 72), back.view(2, 2, 72).flip(1))
    similarity = forth @ forth.T
    assert (similarity - torch.diag(similarity.diag())).max() < 0.99


def test_a_segment_is_described_without_the_others() -> None:
    points = LineBandDescriptors().detect(patchwork(96, 128))
    together, alone = points.describe(LINES.reshape(-1, 2)), points.describe(LINES[1])
    torch.testing.assert_close(together[2:], alone)
    assert points.describe(torch.zeros(0, 2)).shape == (0, 72)


def test_the_descriptor_moves_with_the_image() -> None:
    image = patchwork(96, 128)
    shifted = torch.zeros(3, 101, 139)
    shifted[:, 5:, 11:] = image
    inner = torch.tensor([[40.0, 40.0], [90.0, 55.0]])
    first = LineBandDescriptors().detect(image).describe(inner)
    second = LineBandDescriptors().detect(shifted).describe(inner + torch.tensor([11.0, 5.0]))
    assert ((first * second).sum(1) > 0.98).all()
    other = LineBandDescriptors().detect(shifted).describe(inner)
    assert ((first * other).sum(1) < 0.98).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 20), (3, 2), (40, 40)])
def test_blank_and_tiny_images_have_descriptors_of_unit_norm(height: int, width: int) -> None:
    points = LineBandDescriptors().detect(torch.full((3, height, width), 0.5))
    described = points.describe(torch.tensor([[0.0, 0.0], [width - 1.0, height - 1.0]]))
    torch.testing.assert_close(described.norm(dim=1), torch.ones(2))


def test_bad_input_is_an_error() -> None:
    describer = LineBandDescriptors()
    with pytest.raises(ShapeError, match="3 H W"):
        describer.detect(torch.rand(1, 20, 20))
    with pytest.raises(ValueError, match="even number of endpoints, found 3"):
        describer.detect(torch.rand(3, 20, 20)).describe(torch.rand(3, 2))


def test_says_what_to_install_where_opencv_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("cv2.line_descriptor")
    with pytest.raises(ValueError, match="opencv-contrib-python-headless"):
        LineBandDescriptors()
