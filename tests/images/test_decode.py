import numpy as np
import pytest
import tifffile
import torch

from gluestick.images import load_image

SIZE = (8, 9)


def loaded(tmp_path, array: np.ndarray, **options) -> torch.Tensor:
    tifffile.imwrite(tmp_path / "image.tif", array, **options)
    return load_image(tmp_path / "image.tif")


def noise(*shape: int, dtype=np.uint16) -> np.ndarray:
    limits = np.iinfo(dtype)
    return np.random.default_rng(0).integers(limits.min, limits.max, shape, dtype, endpoint=True)


def unit(array: np.ndarray) -> torch.Tensor:
    """Bring integers [H, W, 3] or [H, W] to [3, H, W] in [0, 1]."""
    limits = np.iinfo(array.dtype)
    values = (array.astype(np.float64) - limits.min) / (limits.max - limits.min)
    tensor = torch.from_numpy(values).float()
    return tensor.expand(3, -1, -1) if tensor.ndim == 2 else tensor.permute(2, 0, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_unspecified_fourth_band_is_left_out(dtype, tmp_path):
    pixels = noise(*SIZE, 4, dtype=dtype)
    image = loaded(tmp_path, pixels, photometric="rgb", extrasamples=["unspecified"])
    torch.testing.assert_close(image, unit(pixels[..., :3]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_opacity_is_composited_over_white(dtype, tmp_path):
    pixels = noise(*SIZE, 4, dtype=dtype)
    image = loaded(tmp_path, pixels, photometric="rgb", extrasamples=["unassalpha"])
    alpha = unit(pixels[..., 3])
    torch.testing.assert_close(image, unit(pixels[..., :3]) * alpha + 1 - alpha)


def test_colours_that_were_multiplied_by_opacity(tmp_path):
    colours, alpha = noise(*SIZE, 3), noise(*SIZE, 1) | 0x8000
    multiplied = (colours * (alpha / 65535)).round().astype(np.uint16)
    pixels = np.concatenate([multiplied, alpha], axis=-1)
    image = loaded(tmp_path, pixels, photometric="rgb", extrasamples=["assocalpha"])
    opacity = unit(alpha[..., 0])
    torch.testing.assert_close(image, unit(colours) * opacity + 1 - opacity, atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_signed_integers_cover_black_to_white(dtype, tmp_path):
    pixels = noise(*SIZE, dtype=dtype)
    torch.testing.assert_close(loaded(tmp_path, pixels), unit(pixels))


def test_signed_colours(tmp_path):
    pixels = noise(*SIZE, 3, dtype=np.int16)
    torch.testing.assert_close(loaded(tmp_path, pixels, photometric="rgb"), unit(pixels))


def test_white_may_be_zero(tmp_path):
    for dtype in (np.uint8, np.uint16):
        pixels = noise(*SIZE, dtype=dtype)
        image = loaded(tmp_path, pixels, photometric="miniswhite")
        torch.testing.assert_close(image, 1 - unit(pixels))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats(dtype, channels, tmp_path):
    values = np.random.default_rng(0).random((*SIZE, channels)).astype(dtype).squeeze()
    image = loaded(tmp_path, values, photometric="rgb" if channels == 3 else "minisblack")
    expected = torch.from_numpy(values.reshape(*SIZE, channels)).float().permute(2, 0, 1)
    torch.testing.assert_close(image, expected.expand(3, -1, -1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_preview_in_the_first_page_is_passed_over(dtype, tmp_path):
    preview, full = noise(4, 5, 3, dtype=dtype), noise(40, 50, 3, dtype=dtype)
    with tifffile.TiffWriter(tmp_path / "image.tif") as writer:
        writer.write(preview, photometric="rgb", subfiletype=1)
        writer.write(full, photometric="rgb", subfiletype=0)
    torch.testing.assert_close(load_image(tmp_path / "image.tif"), unit(full))


def test_a_file_with_nothing_but_a_preview_is_an_error(tmp_path):
    """The layout of DNG and other raw files: the sensor's values lie in a sub-directory."""
    with tifffile.TiffWriter(tmp_path / "raw.dng") as writer:
        writer.write(noise(4, 5, 3, dtype=np.uint8), photometric="rgb", subfiletype=1, subifds=1)
        writer.write(noise(40, 50), photometric=32803, subfiletype=0)
    with pytest.raises(ValueError, match=r"raw\.dng holds only a preview.*develop it"):
        load_image(tmp_path / "raw.dng")


def test_pixels_of_no_known_range_are_errors(tmp_path, capfd):
    for pixels in (noise(*SIZE, dtype=np.int32), noise(*SIZE, dtype=np.uint32)):
        with pytest.raises(ValueError, match="32-bit integers, which have no known full range"):
            loaded(tmp_path, pixels)
    with pytest.raises(ValueError, match="TIFF pixels that cannot be read"):
        loaded(tmp_path, noise(*SIZE, 5), photometric="rgb", extrasamples=[0, 0])
    assert capfd.readouterr().err == ""


def test_the_pixel_limit_holds_for_every_kind_of_tiff(tmp_path):
    tifffile.imwrite(tmp_path / "image.tif", np.zeros((30, 20, 3)), photometric="rgb")
    with pytest.raises(ValueError, match="20 x 30 pixels"):
        load_image(tmp_path / "image.tif", max_pixels=599)
