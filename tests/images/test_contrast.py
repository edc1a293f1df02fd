import pytest
import torch

from gluestick.checks import ShapeError
from gluestick.images.contrast import ContrastConfig, stretch_contrast


@pytest.fixture
def photograph():
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(1, 3, 12, 16, generator=generator)
    image = torch.nn.functional.interpolate(small, size=(120, 160), mode="bicubic")[0]
    return image.clamp(0, 1)


def span(image):
    values = image.flatten(1).sort(dim=1).values
    last = values.shape[1] - 1
    return (values[:, round(0.995 * last)] - values[:, round(0.005 * last)]).max()


def test_ordinary_contrast_is_left_as_it_is(photograph):
    for image in (photograph, 0.2 + 0.5 * photograph):
        assert torch.equal(stretch_contrast(image, config=ContrastConfig()), image)


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1 / 16), (0.6, 0.05), (0.3, 120 / 65535)])
def test_low_contrast_becomes_the_same_image(photograph, offset, scale):
    expected = stretch_contrast(0.1 * photograph, config=ContrastConfig())
    stretched = stretch_contrast(offset + scale * photograph, config=ContrastConfig())
    assert span(stretched) == pytest.approx(0.8, abs=0.01)
    torch.testing.assert_close(stretched, expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("value", [0.0, 0.9, 1.0])
def test_hot_pixels_do_not_decide(photograph, value):
    image = 0.4 + 0.05 * photograph
    expected = stretch_contrast(image, config=ContrastConfig())
    hot = torch.rand(120, 160, generator=torch.Generator().manual_seed(1)) < 0.03
    stretched = stretch_contrast(image.masked_fill(hot, value), config=ContrastConfig())
    torch.testing.assert_close(stretched[:, ~hot], expected[:, ~hot], atol=0.03, rtol=0)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_margins_and_what_transparency_hides_do_not_decide(photograph, value):
    image = 0.4 + 0.05 * photograph
    inside = torch.zeros(120, 160, dtype=torch.bool)
    inside[30:90, 40:] = True
    cut_out = torch.where(inside, image, torch.tensor(value))
    stretched = stretch_contrast(cut_out, config=ContrastConfig())
    assert span(stretched[:, 30:90, 40:]) == pytest.approx(0.8, abs=0.01)
    assert (stretched[:, ~inside] == value).all()


@pytest.mark.parametrize("contrast", [0.1, 0.05, 0.02])
def test_faint_photographs_of_few_levels_are_stretched(photograph, contrast):
    image = (255 * (0.5 + contrast * (photograph - 0.5))).round() / 255
    stretched = stretch_contrast(image, config=ContrastConfig())
    assert span(stretched) == pytest.approx(0.8, abs=0.01)


def test_colours_do_not_saturate(photograph):
    """A scene in one strong colour keeps its structure in the channel that has it."""
    image = torch.stack([0.9 + 0.05 * photograph[0], *torch.full((2, 120, 160), 0.1)])
    stretched = stretch_contrast(image, config=ContrastConfig())
    assert span(stretched) == pytest.approx(0.8, abs=0.01)
    assert (stretched[1:] == 0.5).all()


@pytest.mark.parametrize("deviation", [1e-6, 1e-4, 1 / 255, 5 / 255])
def test_noise_is_not_stretched(deviation):
    generator = torch.Generator().manual_seed(0)
    noise = 0.5 + deviation * torch.randn(3, 60, 80, generator=generator)
    assert stretch_contrast(noise, config=ContrastConfig()) is noise


def test_what_is_blank_or_tiny_is_not_stretched():
    generator = torch.Generator().manual_seed(0)
    one_step = torch.randint(126, 128, (3, 60, 80), generator=generator) / 255
    edge = torch.full((3, 60, 80), 0.3)
    edge[..., 40:] += 1 / 255
    flat = [
        torch.tensor(color)[:, None, None].expand(3, 60, 80)
        for color in ((0, 1, 0.0), (0.2, 0.3, 0.7))
    ]
    tiny = [torch.rand(3, *size) for size in ((1, 1), (2, 90), (90, 2), (3, 3))]
    for image in (one_step, edge, *flat, *tiny):
        assert stretch_contrast(image, config=ContrastConfig()) is image


def test_a_fixed_range_is_the_same_for_all_images(photograph):
    config = ContrastConfig(mode="fixed", low=0.2, high=0.6)
    stretched = stretch_contrast(0.2 + 0.4 * photograph, config=config)
    torch.testing.assert_close(stretched, photograph)
    assert stretch_contrast(torch.ones(3, 2, 2), config=config).max() == 1
    assert stretch_contrast(photograph, config=ContrastConfig(mode="none")) is photograph


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "clahe"}, "auto, fixed or none"),
        ({"low": 0.5, "high": 0.5}, "low < high"),
        ({"high": 65535.0}, "high <= 1"),
        ({"min_range": 0.9}, "min_range <= target_range"),
        ({"min_levels": 1}, "at least 2"),
    ],
)
def test_bad_options_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        ContrastConfig(**options)


def test_other_shapes_are_errors():
    with pytest.raises(ShapeError, match="3 H W"):
        stretch_contrast(torch.rand(1, 3, 4, 4), config=ContrastConfig())
