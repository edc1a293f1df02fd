from pathlib import Path

import pytest
from PIL import Image
from strange_images import write_strange

from gluestick.web.limits import Limits
from gluestick.web.photographs import Photograph, sort_out

LIMITS = Limits(max_photographs=2, max_file_bytes=2**14, max_pixels=100_000)

REFUSED = {
    "empty.png": "empty.png is an empty file",
    "text.png": "text.png is not an image that can be read",
    "html.jpg": "html.jpg is not an image that can be read",
    "zeros.tif": "zeros.tif is not an image that can be read",
    "palette.gif": "palette.gif is in the format GIF: convert it to JPEG or PNG",
    "icon.ico": "icon.ico is in the format ICO: convert it to JPEG or PNG",
    "one_pixel.png": "one_pixel.png has 1 x 1 pixels: photographs need at least 32 on each side",
    "wide.png": "wide.png has 3000 x 9 pixels: photographs need at least 32 on each side",
    "bomb.png": "bomb.png has 60000 x 60000 pixels, more than 0.1 million: shrink it",
    "huge_header.png": (
        "huge_header.png has 2147483647 x 2147483647 pixels, more than 0.1 million: shrink it"
    ),
    "lossless.webp": "lossless.webp has 0.0227 MB, more than 0.0156: shrink it",
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_files_are_refused_in_a_line(name: str, tmp_path: Path, assets: Path) -> None:
    photographs, refused = sort_out([write_strange(tmp_path, name, assets)], LIMITS)
    assert not photographs
    assert refused == [REFUSED[name]]


def test_photographs_are_taken_in_order_up_to_the_limit(tmp_path: Path, assets: Path) -> None:
    names = "progressive.jpg", "text.png", "mirrored.jpg", "ycbcr.jpg"
    paths = [write_strange(tmp_path, name, assets) for name in names]
    photographs, refused = sort_out(paths, LIMITS)
    assert [photograph.name for photograph in photographs] == ["progressive.jpg", "mirrored.jpg"]
    assert refused[1] == "ycbcr.jpg is one too many: at most 2 are taken"
    assert photographs[0].load(LIMITS).shape == (3, 120, 160)


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "a.png" for folder in "012"]
    for path in paths:
        path.parent.mkdir()
        Image.new("RGB", (40, 40)).save(path)
    photographs, _ = sort_out(paths, Limits())
    assert [photograph.name for photograph in photographs] == ["a.png", "a (2).png", "a (3).png"]


def test_messages_name_no_folder(tmp_path: Path, assets: Path) -> None:
    half = write_strange(tmp_path, "half.jpg", assets)
    (photograph,), _ = sort_out([half], LIMITS)
    with pytest.raises(ValueError, match=r"half\.jpg is damaged") as raised:
        photograph.load(LIMITS)
    assert str(tmp_path) not in str(raised.value)
    gone = Photograph(name="gone.jpg", path=tmp_path / "gone.jpg")
    with pytest.raises(ValueError, match=r"^gone.jpg is no longer here: drop it again$"):
        gone.load(LIMITS)
    assert sort_out([gone.path], LIMITS)[1] == ["gone.jpg is no longer here: drop it again"]
