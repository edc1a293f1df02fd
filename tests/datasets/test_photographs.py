from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gluestick.datasets.photographs import list_photographs, load_photograph
from gluestick.images.load import load_image

NOT_PHOTOGRAPHS = {".eps", ".ps"}
"""Formats that Pillow hands over to other programs."""


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def test_lists_images_in_all_folders(tmp_path: Path) -> None:
    blank = np.zeros((4, 4, 3), np.uint8)
    for name in ("b.png", "deep/er/a.JPG", "c.jpeg"):
        save(tmp_path / name, blank)
    (tmp_path / "notes.txt").write_text("not a photograph")
    assert list_photographs(tmp_path) == ["b.png", "c.jpeg", "deep/er/a.JPG"]


@pytest.mark.filterwarnings("ignore:IM image format")
def test_lists_every_format_that_is_read(tmp_path: Path) -> None:
    Image.init()
    writable = {
        suffix
        for suffix, kind in Image.registered_extensions().items()
        if kind in Image.SAVE and kind in Image.OPEN
    }
    read = set()
    for suffix in sorted(writable - NOT_PHOTOGRAPHS):
        path = tmp_path / f"a{suffix.upper()}"
        for mode in ("RGB", "L", "1"):
            try:
                Image.new(mode, (40, 40)).save(path)
            except (OSError, ValueError):
                continue
            load_image(path)
            read.add(path.name)
            break
    assert {"a.PNG", "a.JPG", "a.GIF", "a.PPM", "a.TIF", "a.TGA"} <= read
    assert set(list_photographs(tmp_path)) == read


def test_needs_a_folder_with_photographs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no folder"):
        list_photographs(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="found none"):
        list_photographs(tmp_path)


@pytest.mark.parametrize(("height", "width"), [(90, 200), (200, 90), (60, 80)])
def test_cuts_centrally_to_the_aspect_ratio(tmp_path: Path, height: int, width: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 2 - 10 : height // 2 + 10, width // 2 - 10 : width // 2 + 10] = 200
    save(tmp_path / "a.png", image)
    loaded = load_photograph(tmp_path / "a.png", image_size=(40, 30))
    assert loaded.shape == (30, 40, 3)
    assert loaded.dtype == np.uint8
    bright = np.argwhere(loaded[..., 0] > 100)
    np.testing.assert_allclose(bright.mean(axis=0), [14.5, 19.5], atol=0.6)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"bad\.jpg"):
        load_photograph(tmp_path / "bad.jpg", image_size=(40, 30))
