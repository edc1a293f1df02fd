import sys

import pytest
import torch
from rendered_scenes import patchwork

from gluestick.features.points.xfeat import XFeat, XFeatConfig
from gluestick.geometry.pixels import from_resized

KorniaXFeat = pytest.importorskip("kornia.feature.xfeat", reason="needs kornia >= 0.9").XFeat


def pair(threshold: float = 0.0) -> tuple[XFeat, torch.nn.Module]:
    torch.manual_seed(0)
    reference = KorniaXFeat(top_k=10_000, detection_threshold=threshold).eval()
    detector = XFeat(XFeatConfig(max_num_keypoints=None, detection_threshold=threshold))
    detector.network.load_state_dict(reference.net.state_dict())
    return detector, reference


def test_equals_the_plain_network():
    detector, reference = pair()
    image = patchwork(96, 128)
    points, expected = detector.detect(image), reference.detectAndCompute(image[None])[0]
    assert len(points.keypoints) > 10
    torch.testing.assert_close(points.keypoints, expected["keypoints"].float())
    torch.testing.assert_close(points.scores, expected["scores"])
    torch.testing.assert_close(points.descriptors, expected["descriptors"], atol=1e-5, rtol=0)


def test_keypoints_of_a_resized_image_obey_the_half_pixel_rule():
    detector, reference = pair()
    image = patchwork(110, 150)
    points, expected = detector.detect(image), reference.detectAndCompute(image[None])[0]
    ratio = torch.tensor([150 / 128, 110 / 96])
    whole = (expected["keypoints"] / ratio).round()
    mapped = from_resized(whole, scale=1 / ratio)
    inside = ((mapped > -0.5) & (mapped < torch.tensor([149.5, 109.5]))).all(dim=1)
    torch.testing.assert_close(points.keypoints, mapped[inside], atol=1e-3, rtol=0)


def test_loads_the_published_layout(tmp_path):
    _, reference = pair()
    torch.save(reference.net.state_dict(), tmp_path / "xfeat.pt")
    detector = XFeat.from_pretrained(weights=str(tmp_path / "xfeat.pt"))
    image = patchwork(64, 64)
    torch.testing.assert_close(
        detector.detect(image).describe(torch.tensor([[10.0, 12.0]])),
        pair()[0].detect(image).describe(torch.tensor([[10.0, 12.0]])),
    )


def test_failed_download_says_what_to_do(monkeypatch):
    def no_network(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(KorniaXFeat, "from_pretrained", no_network)
    with pytest.raises(ValueError, match=r"no route to host.*pass its path"):
        XFeat.from_pretrained(weights="download")


def test_an_old_kornia_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "kornia.feature.xfeat", None)
    with pytest.raises(ValueError, match=r"kornia 0\.9"):
        XFeat()
