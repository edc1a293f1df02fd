from pathlib import Path

import numpy as np
import pytest
import torch
from rendered_scenes import patchwork

from gluestick.features.points.aliked import Aliked, AlikedConfig
from gluestick.images import load_image

ASSETS = Path(__file__).parents[3] / "assets"


@pytest.fixture(scope="module")
def pretrained():
    return Aliked.from_pretrained(AlikedConfig(max_num_keypoints=None, detection_threshold=0.2))


def with_random_weights(variant: str) -> tuple[Aliked, torch.nn.Module]:
    torch.manual_seed(3)
    kornia_aliked = pytest.importorskip("kornia.feature.aliked", reason="needs kornia >= 0.9")
    reference = kornia_aliked.ALIKED(f"aliked-{variant}").eval()
    for name, buffer in reference.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    state = {name: value for name, value in reference.state_dict().items() if "dkd" not in name}
    detector = Aliked(AlikedConfig(variant=variant, max_num_keypoints=None))
    detector.network.load_state_dict(state)
    return detector, reference


@pytest.mark.parametrize("variant", ["n16", "n16rot", "n32", "t16"])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (75, 61)])
def test_equals_the_plain_network(variant, height, width):
    detector, reference = with_random_weights(variant)
    image = patchwork(height, width)
    points = detector.detect(image)
    with torch.no_grad():
        expected = reference(image[None])[0]
    nearest = torch.cdist(points.keypoints, expected.keypoints).argmin(dim=1)
    assert len(points.keypoints) == expected.n > 10
    assert len(nearest.unique()) == expected.n
    torch.testing.assert_close(points.keypoints, expected.keypoints[nearest], atol=1e-3, rtol=0)
    torch.testing.assert_close(points.scores, expected.keypoint_scores[nearest], atol=1e-4, rtol=0)
    torch.testing.assert_close(points.descriptors, expected.descriptors[nearest], atol=1e-4, rtol=0)


def test_describes_any_position_as_the_plain_network():
    detector, reference = with_random_weights("n16")
    image = patchwork(70, 90)
    positions = torch.rand(50, 2) * torch.tensor([82.0, 62.0]) + 3.5
    with torch.no_grad():
        features, _ = reference.extract_dense_map(image[None])
        normalised = positions / torch.tensor([89.0, 69.0]) * 2 - 1
        expected = reference.desc_head(features, [normalised])[0][0]
    described = detector.detect(image).describe(positions)
    torch.testing.assert_close(described, expected, atol=1e-4, rtol=0)


def test_peaks_of_the_score_map_become_keypoints_at_pixel_centres():
    detector = Aliked(AlikedConfig(detection_threshold=0.2))
    y, x = torch.arange(40)[:, None], torch.arange(60)[None]
    scores = torch.zeros(40, 60)
    centres = torch.tensor([[41.0, 12.0], [20.4, 30.25]])
    for centre in centres:
        scores += 0.9 * torch.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 4)
    everywhere = torch.ones(1, 40, 60, dtype=torch.bool)
    found = detector._keypoints(scores[None], everywhere, max_num_keypoints=None)
    keypoints, keypoint_scores = found[0]
    torch.testing.assert_close(keypoints, centres, atol=0.1, rtol=0)
    assert (keypoint_scores > 0.8).all()


def test_a_keypoint_that_refinement_moves_out_of_the_mask_is_dropped():
    detector = Aliked(AlikedConfig(detection_threshold=0.2))
    scores = torch.zeros(2, 20, 20)
    scores[:, 10, 9:14] = torch.tensor([0.5, 0.9, 0.89, 0.89, 0.1])
    allowed = torch.ones(2, 20, 20, dtype=torch.bool)
    allowed[1, :, 11:] = False
    found = detector._keypoints(scores, allowed, max_num_keypoints=None)
    assert [len(keypoints) for keypoints, _ in found] == [1, 0]


def test_shift_of_a_photograph_shifts_its_keypoints(pretrained):
    # 32 px is the coarsest stride, so the padding stays in step.
    image = load_image(ASSETS / "graffiti_a.jpg")[:, 100:356, 100:420]
    left = pretrained.detect(image[:, :224, :288]).keypoints
    right = pretrained.detect(image[:, 32:, 32:]).keypoints + 32
    inner = left[((left > 96) & (left < torch.tensor([224.0, 160.0]))).all(dim=1)]
    distances = torch.cdist(inner, right).amin(dim=1)
    assert len(inner) > 20
    assert (distances < 0.5).float().mean() > 0.8


def test_descriptors_match_two_photographs_of_a_plane(pretrained):
    H = torch.from_numpy(np.loadtxt(ASSETS / "graffiti_H_a_to_b.txt")).float()
    points0, points1 = (
        pretrained.detect(load_image(ASSETS / f"graffiti_{name}.jpg")) for name in "ab"
    )
    similarity = points0.descriptors @ points1.descriptors.T
    best0, best1 = similarity.argmax(dim=1), similarity.argmax(dim=0)
    mutual = best1[best0] == torch.arange(len(best0))
    homogeneous = torch.cat([points0.keypoints, torch.ones(len(best0), 1)], dim=1) @ H.T
    errors = (homogeneous[:, :2] / homogeneous[:, 2:] - points1.keypoints[best0]).norm(dim=1)
    assert mutual.sum() > 200
    assert (errors[mutual] < 3).float().mean() > 0.5


def test_tiny_variant_has_smaller_descriptors():
    detector = Aliked(AlikedConfig(variant="t16"))
    assert detector.descriptor_dim == 64
    assert detector.detect(patchwork(40, 50)).descriptors.shape[1] == 64


def test_variants_without_shipped_weights_are_named():
    with pytest.raises(ValueError, match=r"aliked-n32\.safetensors"):
        Aliked.from_pretrained(AlikedConfig(variant="n32"))


def test_loads_a_checkpoint_file_in_half_precision(tmp_path):
    detector = Aliked()
    half = {
        name: value.half() if value.is_floating_point() else value
        for name, value in detector.network.state_dict().items()
    }
    torch.save(half, tmp_path / "aliked.pth")
    loaded = Aliked.from_pretrained(weights=str(tmp_path / "aliked.pth"))
    weight = loaded.network.conv1.weight
    assert weight.dtype == torch.float32
    torch.testing.assert_close(weight, detector.network.conv1.weight, atol=1e-3, rtol=1e-3)


def test_weights_of_another_variant_are_an_error(tmp_path):
    torch.save(Aliked(AlikedConfig(variant="t16")).network.state_dict(), tmp_path / "t16.pth")
    with pytest.raises(ValueError, match="another shape"):
        Aliked.from_pretrained(weights=str(tmp_path / "t16.pth"))
