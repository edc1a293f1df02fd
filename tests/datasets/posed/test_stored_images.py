from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gluestick.datasets.posed.stored_images import (
    exif_turn,
    load_stored_image,
    to_stored_pixels,
    upright_turn,
)

MARK = (5, 2)  # px of the stored image


def save(path: Path, *, orientation: int | None = None) -> Path:
    """Write a dark image of 8 x 6 pixels with one bright one."""
    pixels = np.zeros((6, 8, 3), dtype=np.uint8)
    pixels[MARK[1], MARK[0]] = 255
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def bright_pixel(image: torch.Tensor) -> np.ndarray:
    row, column = np.unravel_index(int(image[0].argmax()), image.shape[1:])
    return np.array([[column, row]], dtype=np.float32)


@pytest.mark.parametrize(("orientation", "turn"), [(None, 0), (1, 0), (3, 180), (6, 90), (8, 270)])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_what_is_found_is_mapped_back_to_the_stored_pixels(
    tmp_path: Path, orientation: int | None, turn: int, quarters: int
) -> None:
    path = save(tmp_path / "image.png", orientation=orientation)
    assert exif_turn(path) == turn
    used = upright_turn(path, quarters=quarters)
    assert used == (-90 * quarters % 360 if quarters else turn)
    image = load_stored_image(path, turn=used)
    size = (image.shape[2], image.shape[1])
    assert size == ((6, 8) if used % 180 else (8, 6))
    points, stored_size = to_stored_pixels(bright_pixel(image), image_size=size, turn=used)
    assert points.tolist() == [list(MARK)]
    assert stored_size == (8, 6)


def test_a_list_turns_against_the_clock(tmp_path: Path) -> None:
    """As SuperGlue, which turns by ``numpy.rot90(image, k=rot)``."""
    path = save(tmp_path / "image.png")
    stored = load_stored_image(path, turn=0)
    for quarters in range(4):
        turned = load_stored_image(path, turn=upright_turn(path, quarters=quarters))
        expected = np.rot90(stored.permute(1, 2, 0).numpy(), k=quarters)
        np.testing.assert_array_equal(turned.permute(1, 2, 0).numpy(), expected)


def test_mirrored_and_unreadable_images(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stored mirrored"):
        exif_turn(save(tmp_path / "mirrored.png", orientation=5))
    with pytest.raises(ValueError, match="cannot be read"):
        exif_turn(tmp_path / "missing.png")
    assert exif_turn(save(tmp_path / "odd.png", orientation=9)) == 0
