"""``xfeat-lsd``, the fast model, with its shipped weights."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from kornia.feature import LightGlue

from gluestick import PointLineMatcher, load_image
from gluestick.geometry.homography import transform_points
from gluestick.types import Matches, Wireframe


@pytest.fixture(scope="module")
def matched(assets: Path) -> tuple[PointLineMatcher, Wireframe, Wireframe, Matches]:
    matcher = PointLineMatcher.from_pretrained("xfeat-lsd", view="none", max_num_keypoints=512)
    images = [load_image(assets / f"graffiti_{side}.jpg") for side in "ab"]
    return matcher, *matcher(*images)


def test_points_and_lines_of_a_plane_match(
    matched: tuple[PointLineMatcher, Wireframe, Wireframe, Matches], assets: Path
) -> None:
    _, wireframe0, wireframe1, matches = matched
    H_0to1 = np.loadtxt(assets / "graffiti_H_a_to_b.txt")
    points0, points1 = (
        points.double().numpy() for points in matches.matched_keypoints(wireframe0, wireframe1)
    )
    error = np.linalg.norm(transform_points(H_0to1, points0) - points1, axis=1)
    assert len(points0) >= 80
    assert (error < 5).mean() > 0.6
    assert (matches.line_matches0 > -1).sum() >= 20
    assert (matches.line_pair_probabilities > 0.5).sum() >= 20


@torch.no_grad()
def test_points_are_matched_as_by_lighterglue(
    matched: tuple[PointLineMatcher, Wireframe, Wireframe, Matches],
) -> None:
    matcher, *wireframes, _ = matched
    network = copy.deepcopy(matcher.network).double()
    matches = network(*wireframes)
    published = LightGlue(
        None,
        input_dim=64,
        descriptor_dim=96,
        n_layers=6,
        num_heads=1,
        depth_confidence=-1,
        width_confidence=-1,
    ).eval()
    own = network.state_dict()
    published.double().load_state_dict(
        {key: own.get(key, value) for key, value in published.state_dict().items()}
    )
    first = [int(wireframe.num_junctions[0]) for wireframe in wireframes]
    data = {
        f"image{side}": {
            "keypoints": wireframe.keypoints[:, number:].double().clamp_min(0),
            "descriptors": wireframe.descriptors[:, number:].double(),
            "image_size": wireframe.image_size,
        }
        for side, (wireframe, number) in enumerate(zip(wireframes, first, strict=True))
    }
    expected = published(data)
    own_points = matches.log_assignment[:, first[0] :, first[1] :]
    torch.testing.assert_close(
        own_points.exp(), expected["log_assignment"].exp(), atol=1e-5, rtol=0
    )
    found = matches.matches0[0, first[0] :]
    assert torch.equal(torch.where(found > -1, found - first[1], -1), expected["matches0"][0])
