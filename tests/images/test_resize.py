import pytest
import torch

from gluestick.checks import ShapeError
from gluestick.geometry.pixels import from_resized, to_resized
from gluestick.images.resize import ResizeConfig, resize_image, resize_mask, resized_size


@pytest.mark.parametrize(
    ("options", "before", "after"),
    [
        ({"size": 1024}, (4000, 3000), (1024, 768)),
        ({"size": 1024}, (640, 480), (640, 480)),
        ({"size": 1024, "upscale": True}, (640, 480), (1024, 768)),
        ({"size": 100, "side": "short"}, (400, 300), (133, 100)),
        ({"size": 100, "side": "short"}, (90, 300), (90, 300)),
        ({"size": None}, (9999, 3), (9999, 3)),
        ({"size": 100}, (3200, 1000), (100, 31)),
        ({"size": 100}, (3600, 1000), (112, 31)),
        ({"size": 1024}, (11_520, 768), (4800, 320)),
        ({"size": 1024}, (768, 11_520), (320, 4800)),
        ({"size": 1024}, (16_000, 800), (6400, 320)),
        ({"size": 1024}, (60_000, 1000), (11_217, 187)),
        ({"size": 1024}, (3000, 300), (3000, 300)),
        ({"size": 1024, "max_aspect": 1e9}, (11_520, 768), (1024, 68)),
        ({"size": 100, "side": "short"}, (9000, 300), (3000, 100)),
        ({"size": 100, "max_aspect": 1}, (400, 300), (133, 100)),
        ({"size": 100}, (100_000, 10), (14_142, 1)),
        ({"size": 1}, (40, 30), (1, 1)),
        ({"size": 8, "upscale": True}, (1, 1), (8, 8)),
    ],
)
def test_sizes(options, before, after):
    assert resized_size(before, config=ResizeConfig(**options)) == after


def test_the_scale_is_that_of_the_whole_pixels():
    image, scale = resize_image(torch.rand(3, 301, 400), config=ResizeConfig(size=100))
    assert image.shape == (3, 75, 100)
    torch.testing.assert_close(scale, torch.tensor([0.25, 75 / 301]))


def test_an_image_that_fits_is_returned_as_it_is():
    image = torch.rand(3, 20, 30)
    resized, scale = resize_image(image, config=ResizeConfig())
    assert resized is image
    torch.testing.assert_close(scale, torch.ones(2))


@pytest.mark.parametrize("size", [37, 64, 300])
def test_content_moves_as_the_half_pixel_rule_says(size):
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(128.0), indexing="ij")
    centre = torch.tensor([70.3, 31.8])
    image = torch.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 100).expand(3, -1, -1)
    resized, scale = resize_image(image, config=ResizeConfig(size=size, upscale=True))
    weights = resized[0] / resized[0].sum()
    y, x = torch.meshgrid(*(torch.arange(float(side)) for side in weights.shape), indexing="ij")
    found = torch.stack([(x * weights).sum(), (y * weights).sum()])
    torch.testing.assert_close(found, to_resized(centre, scale=scale), atol=0.05, rtol=0)
    torch.testing.assert_close(from_resized(found, scale=scale), centre, atol=0.2, rtol=0)


@pytest.mark.parametrize("name", ["triangle", "bicubic"])
def test_shrinking_filters_fine_patterns(name):
    stripes = (torch.arange(200) % 2).float().expand(3, 100, -1)
    resized, _ = resize_image(stripes, config=ResizeConfig(size=50, filter=name))
    assert (resized[:, :, 2:-2] - 0.5).abs().max() < 0.05


@pytest.mark.parametrize("factor", [1.01, 1.5, 3.7])
def test_bicubic_gives_an_enlarged_image_back_within_its_range(factor):
    image = torch.rand(1, 3, 30, 40, generator=torch.Generator().manual_seed(0))
    size = tuple(round(length * factor) for length in (180, 240))
    smooth, enlarged = (
        torch.nn.functional.interpolate(image, size=shape, mode="bicubic")[0].clamp(0, 1)
        for shape in ((180, 240), size)
    )
    errors = {}
    for name in ("triangle", "bicubic"):
        resized, _ = resize_image(enlarged, config=ResizeConfig(size=240, filter=name))
        errors[name] = (resized - smooth).abs().mean()
    assert 0 <= resized.min() <= resized.max() <= 1
    assert errors["bicubic"] < 0.5 * errors["triangle"]


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 1, 5000), (3, 5000, 2)])
def test_extreme_shapes(shape):
    resized, scale = resize_image(torch.rand(shape), config=ResizeConfig(size=100))
    assert min(resized.shape) >= 1
    assert torch.isfinite(resized).all()
    assert (scale > 0).all()


def test_resizing_is_differentiable():
    image = torch.rand(3, 6, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda value: resize_image(value, config=ResizeConfig(size=5))[0], image
    )


@pytest.mark.parametrize("size", [7, 31, 64, 90])
def test_what_the_resized_mask_allows_the_mask_allows(size):
    mask = torch.rand(12, 16, generator=torch.Generator().manual_seed(0)) > 0.2
    mask = mask.repeat_interleave(4, 0).repeat_interleave(4, 1)
    config = ResizeConfig(size=size, upscale=True)
    resized = resize_mask(mask, config=config)
    image, scale = resize_image(torch.rand(3, 48, 64), config=config)
    assert resized.shape == image.shape[1:]
    y, x = resized.nonzero(as_tuple=True)
    for corner in ((-0.49, -0.49), (0.49, -0.49), (0.0, 0.0), (0.49, 0.49)):
        positions = torch.stack([x, y], dim=1) + torch.tensor(corner)
        column, row = from_resized(positions, scale=scale).round().long().unbind(1)
        assert mask[row, column].all()
    assert resize_mask(torch.ones(48, 64, dtype=torch.bool), config=config).all()


def test_bad_rules_and_shapes_are_errors():
    with pytest.raises(ValueError, match="size needs to be at least 1 px"):
        ResizeConfig(size=0)
    with pytest.raises(ValueError, match="filter needs to be"):
        ResizeConfig(filter="area")
    with pytest.raises(ValueError, match="side"):
        ResizeConfig(side="width")
    with pytest.raises(ShapeError, match="3 H W"):
        resize_image(torch.rand(1, 3, 20, 30), config=ResizeConfig())
    with pytest.raises(ShapeError, match="H W"):
        resize_mask(torch.ones(1, 20, 30, dtype=torch.bool), config=ResizeConfig())
