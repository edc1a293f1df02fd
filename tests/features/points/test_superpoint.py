import pytest
import torch
from rendered_scenes import patchwork

from gluestick.features.points.superpoint import (
    SuperPoint,
    SuperPointConfig,
    score_map,
    suppress_non_maxima,
)


def random_detector(variant, **options) -> SuperPoint:
    torch.manual_seed(0)
    return SuperPoint(SuperPointConfig(variant=variant, detection_threshold=0.0, **options))


def test_channels_of_a_cell_are_its_pixels_row_by_row():
    logits = torch.zeros(1, 65, 2, 3)
    logits[0, 8 * 5 + 2, 1, 2] = 20.0
    scores = score_map(logits)
    assert scores.shape == (16, 24)
    assert scores.argmax() == (8 + 5) * 24 + (2 * 8 + 2)


def test_suppression_keeps_peaks_ties_and_what_is_left():
    scores = torch.zeros(1, 14)
    scores[0, [2, 3, 5, 9, 10]] = torch.tensor([0.9, 0.8, 0.7, 0.5, 0.5])
    kept = suppress_non_maxima(scores, radius=2)
    assert kept.nonzero()[:, 1].tolist() == [2, 5, 9, 10]


@pytest.mark.parametrize("variant", ["magicleap", "open"])
def test_keypoints_keep_the_border(variant):
    points = random_detector(variant, border=10).detect(patchwork(64, 80))
    assert len(points.keypoints) > 5
    assert (points.keypoints >= 10).all()
    assert (points.keypoints < torch.tensor([70, 54])).all()


@pytest.mark.parametrize("variant", ["magicleap", "open"])
def test_the_layout_is_inferred_from_the_weights(variant, tmp_path):
    path = tmp_path / "superpoint.pth"
    torch.save(random_detector(variant).network.state_dict(), path)
    loaded = SuperPoint.from_pretrained(weights=str(path))
    assert loaded.config.variant == variant
    image = patchwork(40, 48)
    torch.testing.assert_close(
        loaded.detect(image).descriptors, random_detector(variant).detect(image).descriptors
    )


def test_weights_of_the_other_layout_are_an_error(tmp_path):
    torch.save(random_detector("open").network.state_dict(), tmp_path / "open.pth")
    with pytest.raises(ValueError, match=r"missing: conv1a\.weight.*unexpected: backbone"):
        SuperPoint.from_pretrained(
            SuperPointConfig(variant="magicleap"), weights=str(tmp_path / "open.pth")
        )


@pytest.mark.parametrize("options", [{"variant": "other"}, {"border": -1}])
def test_bad_options_are_errors(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        SuperPointConfig(**options)


def test_colour_is_weighted():
    detector = random_detector("open")
    red, blue = torch.zeros(2, 3, 40, 48)
    red[0], blue[2] = patchwork(40, 48)[0], patchwork(40, 48)[0]
    position = torch.tensor([[20.0, 20.0]])
    gray = (0.299 * red[0]).expand(3, -1, -1)
    described = detector.detect(red).describe(position)
    torch.testing.assert_close(described, detector.detect(gray).describe(position))
    assert not torch.equal(described, detector.detect(blue).describe(position))
