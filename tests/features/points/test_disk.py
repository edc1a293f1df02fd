import pytest
import torch
from kornia.feature import DISK
from rendered_scenes import patchwork

from gluestick.features.points.disk import Disk, DiskConfig


@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 77)])
def test_equals_the_plain_network(height, width):
    torch.manual_seed(0)
    detector = Disk(DiskConfig(max_num_keypoints=None, detection_threshold=-10.0))
    image = patchwork(height, width)
    points = detector.detect(image)
    with torch.no_grad():
        found = detector.network(image[None], score_threshold=-10.0, pad_if_not_divisible=True)[0]
    # Versions of kornia differ in the strip where the window leaves the image.
    low, high = torch.tensor([2, 2]), torch.tensor([width - 2, height - 2])
    inner = ((found.keypoints >= low) & (found.keypoints < high)).all(dim=1).nonzero()[:, 0]
    order = inner[found.detection_scores[inner].argsort(descending=True, stable=True)]
    assert len(order) > 10
    torch.testing.assert_close(points.keypoints, found.keypoints[order].float())
    torch.testing.assert_close(points.scores, found.detection_scores[order])
    torch.testing.assert_close(points.descriptors, found.descriptors[order], atol=1e-5, rtol=0)


def test_loads_the_published_layout(tmp_path):
    torch.manual_seed(1)
    network = DISK()
    torch.save({"extractor": network.state_dict()}, tmp_path / "depth-save.pth")
    detector = Disk.from_pretrained(weights=str(tmp_path / "depth-save.pth"))
    for name, value in network.state_dict().items():
        torch.testing.assert_close(detector.network.state_dict()[name], value)


def test_failed_download_says_what_to_do(monkeypatch):
    def no_network(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(DISK, "from_pretrained", no_network)
    with pytest.raises(ValueError, match=r"no route to host.*pass its path"):
        Disk.from_pretrained(weights="download")
