import pytest
import torch

from gluestick.checks import ShapeError
from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.lines.side_colors import NUM_SIDE_COLORS, side_colors
from gluestick.types import Lines

LINE = torch.tensor([[[20.0, 32.0], [44.0, 32.0]]])
"""From left to right."""


def two_halves() -> torch.Tensor:
    """Return an image that is red above and blue below."""
    image = torch.zeros(3, 64, 64)
    image[0, :32], image[2, 32:] = 1.0, 0.5
    return image


def test_above_is_on_the_left_of_who_walks_to_the_right() -> None:
    colors = side_colors(two_halves(), LINE)
    assert colors.shape == (1, 2, NUM_SIDE_COLORS)
    left, right = colors[0].unflatten(1, (3, 3))  # [3 distances, RGB]
    assert (left[:, 0] > left[:, 2]).all()
    assert (right[:, 2] > right[:, 0]).all()


def test_exchanging_endpoints_exchanges_the_sides() -> None:
    image = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    forwards, backwards = side_colors(image, LINE), side_colors(image, LINE.flip(1))
    torch.testing.assert_close(forwards, backwards.flip(1), atol=1e-5, rtol=1e-5)


def test_brightness_and_contrast_of_the_image_are_taken_out() -> None:
    image = two_halves()
    expected = side_colors(image, LINE)
    torch.testing.assert_close(side_colors(0.3 + 0.5 * image, LINE), expected)


def test_a_blank_image_and_no_line() -> None:
    assert side_colors(torch.ones(3, 8, 8), LINE).abs().max() < 1e-4
    assert side_colors(two_halves(), LINE[:0]).shape == (0, 2, NUM_SIDE_COLORS)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="lines"):
        side_colors(two_halves(), LINE[0])


def test_extracted_where_asked_for() -> None:
    images, lines = [two_halves()], [Lines(lines=LINE, scores=torch.ones(1))]
    assert FeatureExtractor()(images, lines=lines).side_colors is None
    extractor = FeatureExtractor(FeatureExtractorConfig(side_colors=True))
    features = extractor(images * 2, lines=[*lines, None])
    assert features.side_colors is not None
    assert features.side_colors.shape == (*features.line_mask.shape, 2, NUM_SIDE_COLORS)
