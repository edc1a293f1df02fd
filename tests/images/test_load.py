import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from gluestick.images import as_image, load_image, load_mask, to_grayscale
from gluestick.images.header import read_header
from gluestick.images.load import load_oriented_image

COLOURS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[10, 20, 30], [255, 255, 255], [0, 0, 0]]], np.uint8
)


def expected_of(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array).permute(2, 0, 1).float() / 255


def saved(tmp_path, image: Image.Image, name: str = "image.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize("name", ["image.png", "image.bmp", "image.tif", "image.webp"])
def test_colour(name, tmp_path):
    options = {"lossless": True} if name.endswith("webp") else {}
    path = saved(tmp_path, Image.fromarray(COLOURS), name, **options)
    image = load_image(path)
    assert image.dtype == torch.float32
    assert image.is_contiguous()
    torch.testing.assert_close(image, expected_of(COLOURS))
    torch.testing.assert_close(load_image(str(path)), image)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey(mode, tmp_path):
    gray = Image.fromarray(np.array([[0, 255, 0], [255, 0, 255]], np.uint8)).convert(mode)
    image = load_image(saved(tmp_path, gray))
    torch.testing.assert_close(
        image, torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]).expand(3, -1, -1)
    )


def test_palette(tmp_path):
    palette = Image.fromarray(COLOURS).quantize(6)
    torch.testing.assert_close(load_image(saved(tmp_path, palette)), expected_of(COLOURS))


def test_cmyk(tmp_path):
    path = saved(tmp_path, Image.new("CMYK", (4, 3), (0, 255, 255, 0)), "image.tif")
    torch.testing.assert_close(
        load_image(path), torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(3, 3, 4)
    )


def test_transparency_is_composited_over_white(tmp_path):
    rgba = np.dstack([COLOURS, np.array([[255, 255, 255], [0, 0, 51]], np.uint8)])
    image = load_image(saved(tmp_path, Image.fromarray(rgba)))
    torch.testing.assert_close(image[:, 0], expected_of(COLOURS)[:, 0])
    torch.testing.assert_close(image[:, 1, 0], torch.ones(3))
    torch.testing.assert_close(image[:, 1, 2], torch.full((3,), 0.8))


def test_grey_with_transparency_and_transparent_palette(tmp_path):
    gray_alpha = Image.fromarray(np.array([[[0, 255], [0, 0]]], np.uint8))
    assert gray_alpha.mode == "LA"
    expected = torch.tensor([[0.0, 1.0]]).expand(3, -1, -1)
    torch.testing.assert_close(load_image(saved(tmp_path, gray_alpha)), expected)
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 9, 9, 9])
    palette.putpixel((1, 0), 1)
    torch.testing.assert_close(load_image(saved(tmp_path, palette, transparency=1)), expected)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits(suffix, channels, tmp_path):
    values = np.arange(5 * 7 * channels).reshape(5, 7, channels).astype(np.uint16) * 500
    values[0, 0], values[4, 6] = 0, 65535
    if channels == 4:
        values[..., 3] = 65535
    stored = values.squeeze() if channels == 1 else values[..., [2, 1, 0, 3][:channels]]
    path = tmp_path / f"image.{suffix}"
    cv2.imwrite(str(path), stored)
    image = load_image(path)
    expected = torch.from_numpy(values[..., :3].astype(np.float32) / 65535).permute(2, 0, 1)
    torch.testing.assert_close(image, expected.expand(3, -1, -1))


def test_sixteen_bit_portable_graymap(tmp_path):
    (tmp_path / "image.pgm").write_bytes(b"P5 2 1 65535\n" + struct.pack(">2H", 0x8000, 0xFFFF))
    image = load_image(tmp_path / "image.pgm")
    torch.testing.assert_close(image[0], torch.tensor([[0x8000 / 65535, 1.0]]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation, tmp_path):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 255, (24, 40, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Image.fromarray(pixels), exif=exif)
    with Image.open(path) as opened:
        upright = np.asarray(ImageOps.exif_transpose(opened))
    torch.testing.assert_close(load_image(path), expected_of(upright))
    assert load_mask(path).shape == upright.shape[:2]


@pytest.mark.parametrize(("written", "orientation"), [(None, 1), (1, 1), (6, 6), (7, 7), (9, 1)])
def test_the_orientation_that_was_undone(written, orientation, tmp_path):
    exif = Image.Exif()
    if written is not None:
        exif[0x0112] = written
    path = saved(tmp_path, Image.fromarray(COLOURS), exif=exif)
    image, found = load_oriented_image(path)
    assert found == orientation
    torch.testing.assert_close(image, load_image(path), rtol=0, atol=0)


def test_orientation_of_sixteen_bits(tmp_path):
    values = np.arange(2 * 3 * 3).reshape(2, 3, 3).astype(np.uint16) * 3000
    content = cv2.imencode(".png", values[..., ::-1])[1].tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "image.png").write_bytes(content[:33] + chunk + content[33:])
    image = load_image(tmp_path / "image.png")
    upright = np.rot90(values, -1).astype(np.float32) / 65535
    torch.testing.assert_close(image, torch.from_numpy(upright.copy()).permute(2, 0, 1))


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    first, second = Image.new("RGB", (4, 3), (255, 0, 0)), Image.new("RGB", (4, 3), (0, 0, 255))
    path = saved(tmp_path, first, "image.gif", save_all=True, append_images=[second])
    torch.testing.assert_close(load_image(path)[:, 0, 0], torch.tensor([1.0, 0.0, 0.0]))


def test_one_pixel(tmp_path):
    assert load_image(saved(tmp_path, Image.new("RGB", (1, 1)))).shape == (3, 1, 1)


def test_missing_folder_and_empty_files_are_errors(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.png does not exist"):
        load_image(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match="cannot be read"):
        load_image(tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match="empty file"):
        load_image(tmp_path / "empty.png")


def test_text_is_not_an_image(tmp_path):
    (tmp_path / "notes.jpg").write_text("no image at all")
    with pytest.raises(ValueError, match=r"notes\.jpg is not an image"):
        load_image(tmp_path / "notes.jpg")


@pytest.mark.parametrize("name", ["image.png", "image.jpg", "image.tif", "image.webp"])
def test_truncated_files_are_errors(name, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), name)
    content = path.read_bytes()
    for share in (0.3, 0.7):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ValueError, match=r"damaged or truncated|not an image"):
            load_image(path)


def test_truncated_sixteen_bit_colour_is_an_error(tmp_path):
    noise = np.random.default_rng(0).integers(0, 65535, (64, 64, 3)).astype(np.uint16)
    content = cv2.imencode(".png", noise)[1].tobytes()
    (tmp_path / "image.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="damaged or truncated"):
        load_image(tmp_path / "image.png")


def test_the_pixel_limit_holds_before_decoding_and_can_be_raised(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (30, 20)))
    with pytest.raises(ValueError, match=r"30 x 20 pixels.*max_pixels"):
        load_image(path, max_pixels=599)
    assert load_image(path, max_pixels=600).shape == (3, 20, 30)


def test_a_decompression_bomb_is_refused_quickly(tmp_path):
    buffer = io.BytesIO()
    Image.new("1", (8, 8)).save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    (tmp_path / "bomb.png").write_bytes(content)
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ValueError, match="60000 x 60000 pixels"):
        load_image(tmp_path / "bomb.png")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_mask_is_true_where_any_colour_is_not_zero(tmp_path):
    expected = torch.tensor([[True, True, True], [True, True, False]])
    assert torch.equal(load_mask(saved(tmp_path, Image.fromarray(COLOURS))), expected)
    rgba = np.dstack([COLOURS, np.array([[255, 0, 1], [255, 255, 255]], np.uint8)])
    expected[0, 1] = False
    assert torch.equal(load_mask(saved(tmp_path, Image.fromarray(rgba))), expected)
    gray = Image.fromarray(np.array([[0, 1, 255]], np.uint8))
    assert torch.equal(load_mask(saved(tmp_path, gray)), torch.tensor([[False, True, True]]))


def test_arrays_of_all_kinds_are_the_same_image():
    expected = expected_of(COLOURS)
    for value in (
        COLOURS,
        COLOURS[:, ::-1][:, ::-1],
        COLOURS.astype(np.uint16) * 257,
        COLOURS.astype(np.float32) / 255,
        COLOURS.astype(np.float64) / 255,
        expected,
        expected.double(),
        torch.from_numpy(COLOURS).permute(2, 0, 1),
    ):
        image = as_image(value)
        assert image.dtype == torch.float32
        torch.testing.assert_close(image, expected)


def test_grey_arrays_are_repeated():
    gray = np.array([[0, 255]], np.uint8)
    expected = torch.tensor([[0.0, 1.0]]).expand(3, -1, -1)
    torch.testing.assert_close(as_image(gray), expected)
    torch.testing.assert_close(as_image(torch.from_numpy(gray)[None]), expected)
    assert as_image(np.zeros((1, 1))).shape == (3, 1, 1)


def test_the_result_does_not_share_memory():
    array = np.full((2, 2, 3), 0.5, np.float32)
    image = as_image(array)
    array[:] = 0
    assert (image == 0.5).all()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.full((2, 2), np.nan), "finite"),
        (torch.full((3, 2, 2), torch.inf), "finite"),
        (np.full((2, 2), 128.0), r"in \[0, 1\], found 128 to 128"),
        (np.full((2, 2), -0.5), r"in \[0, 1\]"),
        (np.zeros((2, 2), np.int64), "int64"),
        (torch.zeros(3, 2, 2, dtype=torch.int32), "int32"),
        (np.zeros((2, 2, 2)), r"\[H, W, 1, 3 or 4\], found \[2, 2, 2\]"),
        (np.zeros((3, 2, 2)), r"\[H, W, 1, 3 or 4\], found \[3, 2, 2\]"),
        (np.zeros((1, 2, 2, 3)), "found"),
        (torch.zeros(2, 2, 3), r"\[1, 3 or 4, H, W\], found \[2, 2, 3\]"),
        (torch.zeros(2), "found"),
        (Image.new("I", (2, 2)), "32-bit integers"),
        (np.full((2, 2), 1.3), r"in \[0, 1\]"),
        (np.zeros((0, 5)), "at least one pixel"),
        (torch.zeros(3, 5, 0), "at least one pixel"),
        ("nowhere.jpg", r"nowhere\.jpg does not exist"),
        (None, r"cv2\.imread"),
        (3, "found int"),
    ],
)
def test_bad_arrays_are_errors(value, message):
    with pytest.raises(ValueError, match=message):
        as_image(value)


def test_every_kind_of_holder_is_the_same_image(tmp_path):
    expected = expected_of(COLOURS)
    opaque = np.dstack([COLOURS, np.full((2, 3), 255, np.uint8)])
    read_only = COLOURS.copy()
    read_only.flags.writeable = False
    path = saved(tmp_path, Image.fromarray(COLOURS))
    for value in (
        path,
        str(path),
        Image.fromarray(COLOURS),
        Image.fromarray(opaque),
        opaque,
        torch.from_numpy(opaque).permute(2, 0, 1),
        read_only,
        COLOURS[::-1][::-1],
        (COLOURS.astype(np.uint16) * 257).astype(">u2"),
        (COLOURS / 255).astype(">f8"),
        (COLOURS.astype(np.int32) * 257 - 32768).astype(np.int16),
        expected.clone().requires_grad_(),
        expected.clone().to(torch.float64),
    ):
        image = as_image(value)
        torch.testing.assert_close(image, expected)
        assert not image.requires_grad


def test_grey_in_every_shape():
    gray = np.array([[0, 255]], np.uint8)
    expected = torch.tensor([[0.0, 1.0]]).expand(3, -1, -1)
    for value in (gray[..., None], torch.from_numpy(gray), Image.fromarray(gray), gray > 0):
        torch.testing.assert_close(as_image(value), expected)


def test_opacity_of_arrays_is_composited_over_white():
    clear = np.zeros((1, 2, 4), np.uint8)
    clear[0, 0, 3] = 255
    expected = torch.tensor([[0.0, 1.0]]).expand(3, -1, -1)
    torch.testing.assert_close(as_image(clear), expected)
    torch.testing.assert_close(as_image(Image.fromarray(clear)), expected)


def test_what_interpolation_overshoots_is_clamped():
    image = as_image(torch.tensor([[[-0.15, 1.15]]]))
    assert image.min() == 0
    assert image.max() == 1


def test_a_file_of_floats_out_of_range_is_named(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.full((2, 2), 300, np.float32)), "counts.tif")
    with pytest.raises(ValueError, match=r"counts\.tif cannot be used: .*300 to 300"):
        load_image(path)


def test_grayscale_weights():
    torch.testing.assert_close(
        to_grayscale(torch.eye(3)[:, None]), torch.tensor([[0.299, 0.587, 0.114]])
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        assert read_header(path) is None
        with pytest.raises(ValueError, match="is a pipe or a device"):
            load_image(path)
