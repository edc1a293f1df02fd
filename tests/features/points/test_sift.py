from pathlib import Path

import pytest
import torch
from rendered_scenes import blob, patchwork

from gluestick.features.points.sift import Sift, SiftConfig
from gluestick.images import load_image

ASSETS = Path(__file__).parents[3] / "assets"


@pytest.mark.parametrize("sigma", [2.0, 4.0, 9.0])
@pytest.mark.parametrize("centre", [(60.0, 45.0), (70.5, 50.25)])
def test_a_blob_is_found_at_its_centre(centre, sigma):
    points = Sift().detect(blob(100, 130, centre=centre, sigma=sigma))
    errors = (points.keypoints - torch.tensor(centre)).abs().amax(dim=1)
    assert errors.min() < 0.05


def test_every_position_occurs_once():
    points = Sift(SiftConfig(max_num_keypoints=None)).detect(patchwork(120, 160))
    assert len(points.keypoints.unique(dim=0)) == len(points.keypoints) > 50


def test_keypoints_keep_the_nms_radius():
    config = SiftConfig(max_num_keypoints=None, nms_radius=6)
    keypoints = Sift(config).detect(patchwork(120, 160)).keypoints
    distances = torch.cdist(keypoints, keypoints) + torch.eye(len(keypoints)) * 100
    assert len(keypoints) > 10
    assert distances.min() > 6


def test_descriptors_of_given_positions_turn_with_the_image():
    image = load_image(ASSETS / "graffiti_a.jpg")[:, 100:400, 100:400]
    turned = image.rot90(dims=(1, 2))
    sift = Sift(SiftConfig(max_num_keypoints=100))
    points = sift.detect(image)
    positions = points.keypoints[((points.keypoints > 40) & (points.keypoints < 260)).all(dim=1)]
    turned_positions = torch.stack([positions[:, 1], 299 - positions[:, 0]], dim=1)
    described = points.describe(positions)
    turned_described = sift.detect(turned).describe(turned_positions)
    best = (described @ turned_described.T).argmax(dim=1)
    assert len(positions) > 30
    assert (best == torch.arange(len(best))).float().mean() > 0.8


def test_negative_threshold_is_an_error():
    with pytest.raises(ValueError, match="detection_threshold"):
        SiftConfig(detection_threshold=-0.1)
