from dataclasses import replace

import pytest
import torch

from gluestick.features.collate import stack_features
from gluestick.types import Features, ViewFrame


def make_features(seed: int, *, num_keypoints: int, num_lines: int, dim: int = 4) -> Features:
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> torch.Tensor:
        return torch.rand(1, *shape, generator=generator)

    return Features(
        image_size=torch.tensor([[64 + seed, 48]]),
        keypoints=rand(num_keypoints, 2),
        keypoint_scores=rand(num_keypoints),
        descriptors=rand(num_keypoints, dim),
        keypoint_mask=torch.ones(1, num_keypoints, dtype=torch.bool),
        lines=rand(num_lines, 2, 2),
        line_scores=rand(num_lines),
        line_mask=torch.ones(1, num_lines, dtype=torch.bool),
        describe=(lambda positions: torch.full((len(positions), dim), float(seed)),),
    )


def singles() -> list[Features]:
    counts = [(5, 2), (0, 0), (3, 4), (7, 0)]
    return [make_features(i, num_keypoints=n, num_lines=m) for i, (n, m) in enumerate(counts)]


def test_padding_and_masks() -> None:
    batch = stack_features(singles())
    assert batch.keypoints.shape == (4, 7, 2)
    assert batch.descriptors.shape == (4, 7, 4)
    assert batch.lines.shape == (4, 4, 2, 2)
    assert batch.keypoint_mask.sum(dim=1).tolist() == [5, 0, 3, 7]
    assert batch.line_mask.sum(dim=1).tolist() == [2, 0, 4, 0]
    assert batch.image_size[:, 0].tolist() == [64, 65, 66, 67]
    for row, single in enumerate(singles()):
        keypoints, lines = batch.keypoint_mask[row], batch.line_mask[row]
        assert torch.equal(batch.keypoints[row, keypoints], single.keypoints[0])
        assert torch.equal(batch.keypoint_scores[row, keypoints], single.keypoint_scores[0])
        assert torch.equal(batch.descriptors[row, keypoints], single.descriptors[0])
        assert torch.equal(batch.lines[row, lines], single.lines[0])
        assert torch.equal(batch.line_scores[row, lines], single.line_scores[0])
        assert not batch.keypoints[row, ~keypoints].any()
        assert not batch.lines[row, ~lines].any()


def test_every_image_keeps_its_sampler() -> None:
    batch = stack_features(singles())
    assert [float(describe(torch.zeros(1, 2))[0, 0]) for describe in batch.describe] == [0, 1, 2, 3]


def test_every_image_keeps_its_view() -> None:
    first, second, *_ = singles()
    view = ViewFrame(affine=((0, -1, 47), (1, 0, 0)), size=(48, 64))
    batch = stack_features([first, replace(second, views=(view,))])
    assert batch.views == (None, view)


def test_batches_can_be_stacked_again() -> None:
    first, second, third, fourth = singles()
    nested = stack_features([stack_features([first, second]), third, fourth])
    batch = stack_features([first, second, third, fourth])
    for name in ("image_size", "keypoints", "keypoint_mask", "descriptors", "lines", "line_mask"):
        assert torch.equal(getattr(nested, name), getattr(batch, name))
    assert nested.describe == batch.describe


def test_images_without_anything() -> None:
    empty = make_features(0, num_keypoints=0, num_lines=0)
    batch = stack_features([empty, empty])
    assert batch.keypoints.shape == (2, 0, 2)
    assert batch.descriptors.shape == (2, 0, 4)
    assert batch.lines.shape == (2, 0, 2, 2)


def test_errors() -> None:
    with pytest.raises(ValueError, match="features of at least one image"):
        stack_features([])
    different = make_features(0, num_keypoints=1, num_lines=1, dim=8)
    with pytest.raises(ValueError, match=r"descriptors of one size, found \[4, 8\]"):
        stack_features([singles()[0], different])
