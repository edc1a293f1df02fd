from pathlib import Path

import pytest
import torch
from rendered_scenes import patchwork

from gluestick import load_image
from gluestick.features.points.xfeat import XFeat, XFeatConfig
from gluestick.geometry.pixels import from_resized

kornia = pytest.importorskip("kornia.feature.xfeat", reason="needs kornia >= 0.9")


def random_pair() -> tuple[XFeat, torch.nn.Module]:
    """Return the detector, whose keypoints are whole pixels, and kornia's with its weights."""
    torch.manual_seed(0)
    detector = XFeat(
        XFeatConfig(variant="published", max_num_keypoints=None, detection_threshold=0.0)
    )
    reference = kornia.XFeat(top_k=10_000, detection_threshold=0.0).eval()
    reference.net.load_state_dict(detector.network.state_dict(), strict=False)
    return detector, reference


def test_equals_the_plain_network():
    detector, reference = random_pair()
    image = patchwork(96, 128)
    points, expected = detector.detect(image), reference.detectAndCompute(image[None])[0]
    assert len(points.keypoints) > 10
    torch.testing.assert_close(points.keypoints, expected["keypoints"].float())
    torch.testing.assert_close(points.scores, expected["scores"])
    torch.testing.assert_close(points.descriptors, expected["descriptors"], atol=1e-5, rtol=0)


def test_the_shipped_weights_see_what_the_published_network_sees(assets: Path):
    """A few scores that are equal up to rounding change places."""
    config = XFeatConfig(variant="published", max_num_keypoints=500)
    detector = XFeat.from_pretrained(config)
    reference = kornia.XFeat(top_k=500).eval()
    _, unexpected = reference.net.load_state_dict(detector.network.state_dict(), strict=False)
    assert not unexpected
    image = load_image(assets / "leuven_a.jpg")[:, :480, :640].contiguous()
    points, expected = detector.detect(image), reference.detectAndCompute(image[None])[0]
    torch.testing.assert_close(points.scores, expected["scores"], atol=1e-5, rtol=0)
    distances = torch.cdist(points.keypoints, expected["keypoints"].float())
    nearest = distances.argmin(1)
    common = distances.amin(1) == 0
    assert common.sum() >= 498
    torch.testing.assert_close(
        points.descriptors[common], expected["descriptors"][nearest[common]], atol=1e-4, rtol=0
    )


def test_keypoints_of_a_resized_image_obey_the_half_pixel_rule():
    detector, reference = random_pair()
    image = patchwork(110, 150)
    points, expected = detector.detect(image), reference.detectAndCompute(image[None])[0]
    ratio = torch.tensor([150 / 128, 110 / 96])
    whole = (expected["keypoints"] / ratio).round()
    mapped = from_resized(whole, scale=1 / ratio)
    inside = ((mapped > -0.5) & (mapped < torch.tensor([149.5, 109.5]))).all(dim=1)
    torch.testing.assert_close(points.keypoints, mapped[inside], atol=1e-3, rtol=0)


def test_keypoints_lie_at_the_mean_of_their_neighbourhood():
    published = random_pair()[0]
    refined = XFeat(XFeatConfig(max_num_keypoints=None, detection_threshold=0.0))
    refined.network.load_state_dict(published.network.state_dict())
    image = patchwork(96, 128)
    found, whole = refined.detect(image), published.detect(image)
    assert torch.equal(found.scores, whole.scores)
    maps = refined.network(image[None])
    heatmap = torch.nn.functional.pixel_shuffle(maps.keypoint_logits.softmax(1)[:, :-1], 8)[0, 0]
    for placed, (x, y) in zip(found.keypoints, whole.keypoints.long().tolist(), strict=True):
        window = heatmap[y - 1 : y + 2, x - 1 : x + 2]
        columns, rows = window.sum(0) / window.sum(), window.sum(1) / window.sum()
        expected = torch.stack([x + columns[2] - columns[0], y + rows[2] - rows[0]])
        torch.testing.assert_close(placed, expected, atol=1e-4, rtol=0)


def test_loads_the_published_layout(tmp_path: Path):
    detector, reference = random_pair()
    torch.save(reference.net.state_dict(), tmp_path / "xfeat.pt")
    loaded = XFeat.from_pretrained(weights=str(tmp_path / "xfeat.pt"))
    image, positions = patchwork(64, 64), torch.tensor([[10.0, 12.0]])
    torch.testing.assert_close(
        loaded.detect(image).describe(positions), detector.detect(image).describe(positions)
    )


def test_a_download_is_not_needed():
    shipped, named = XFeat.from_pretrained(), XFeat.from_pretrained(weights="download")
    for name, value in shipped.network.state_dict().items():
        assert torch.equal(named.network.state_dict()[name], value)


def test_batch_statistics_are_used_in_training():
    torch.manual_seed(0)
    network = XFeat().network
    images = patchwork(64, 64)[None]
    expected = network(images).descriptors
    assert not torch.allclose(network.train()(images).descriptors, expected)
