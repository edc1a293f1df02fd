from dataclasses import replace

import pytest
import torch

from gluestick.types import Wireframe
from gluestick.wireframe.thresholds import original_max_error


def empty_wireframe(*scales: float) -> Wireframe:
    size = len(scales)
    return Wireframe(
        image_size=torch.full((size, 2), 100),
        keypoints=torch.zeros(size, 0, 2),
        keypoint_scores=torch.zeros(size, 0),
        descriptors=torch.zeros(size, 0, 4),
        keypoint_mask=torch.zeros(size, 0, dtype=torch.bool),
        num_junctions=torch.zeros(size, dtype=torch.int64),
        lines=torch.zeros(size, 0, 2, 2),
        detected_lines=torch.zeros(size, 0, 2, 2),
        line_scores=torch.zeros(size, 0),
        line_mask=torch.zeros(size, 0, dtype=torch.bool),
        line_junctions=torch.zeros(size, 0, 2, dtype=torch.int64),
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
        scales=scales,
    )


def test_images_at_their_own_size_keep_the_threshold():
    assert original_max_error(empty_wireframe(1.0), empty_wireframe(1.0), 0.3) == 0.3


def test_both_images_reduced_alike():
    reduced = empty_wireframe(0.25)
    assert original_max_error(reduced, reduced, 3.0) == pytest.approx(12.0)


def test_one_image_reduced():
    """A deviation of 3 px in the frames is 3 px in one image and 12 px in the other."""
    found = original_max_error(empty_wireframe(1.0), empty_wireframe(0.25), 3.0)
    assert found == pytest.approx(((3**2 + 12**2) / 2) ** 0.5)


def test_one_image_enlarged():
    """What is a pixel of the enlarged image is 8 px of the other one, which shows a detail."""
    found = original_max_error(empty_wireframe(8.0), empty_wireframe(1.0), 3.0)
    assert found == pytest.approx(((3**2 + 24**2) / 2) ** 0.5)
    enlarged = empty_wireframe(2.0)
    assert original_max_error(enlarged, enlarged, 3.0) == pytest.approx(3.0)


def test_pairs_of_a_batch_have_their_own_threshold():
    batch = empty_wireframe(1.0, 0.5)
    assert [original_max_error(batch, batch, 3.0, index=index) for index in (0, 1)] == [
        3.0,
        pytest.approx(6.0),
    ]


@pytest.mark.parametrize("scales", [(0.0,), (-1.0,), (float("nan"),), (float("inf"),), (1.0, 1.0)])
def test_bad_scales(scales):
    with pytest.raises(ValueError, match="scales need"):
        replace(empty_wireframe(1.0), scales=scales)
