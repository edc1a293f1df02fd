from pathlib import Path

import pytest
from PIL import Image

from gluestick.images.header import read_header

ORIENTATION, EXIF = 0x0112, 0x8769
FOCAL_LENGTH, FOCAL_LENGTH_35MM, WIDTH, RESOLUTION, UNIT = 0x920A, 0xA405, 0xA002, 0xA20E, 0xA210


def save(path: Path, *, orientation: int = 1, size: tuple[int, int] = (60, 40), **tags) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif.get_ifd(EXIF).update({int(tag[1:]): value for tag, value in tags.items()})
    Image.new("RGB", size).save(path, exif=exif)
    return path


def test_the_equivalent_focal_length_counts_by_the_diagonal(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", size=(3000, 2000), **{f"_{FOCAL_LENGTH_35MM}": 36})
    header = read_header(path)
    assert header is not None
    assert header.image_size == (3000, 2000)
    assert header.focal_length == pytest.approx(3000, rel=1e-3)


def test_the_resolution_of_the_sensor_counts_at_full_size_only(tmp_path: Path) -> None:
    tags = {f"_{FOCAL_LENGTH}": 8.0, f"_{RESOLUTION}": 100.0, f"_{UNIT}": 4, f"_{WIDTH}": 60}
    header = read_header(save(tmp_path / "a.jpg", **tags))
    assert header is not None
    assert header.focal_length == pytest.approx(800)
    shrunk = read_header(save(tmp_path / "b.jpg", size=(30, 20), **tags))
    assert shrunk is not None
    assert shrunk.focal_length is None


def test_an_image_on_its_side_is_upright(tmp_path: Path) -> None:
    header = read_header(save(tmp_path / "a.jpg", orientation=6))
    assert header is not None
    assert header.image_size == (40, 60)


@pytest.mark.parametrize("value", [0, 65535])
def test_no_focal_length_is_none(tmp_path: Path, value: int) -> None:
    plain = read_header(save(tmp_path / "a.jpg"))
    assert plain is not None
    assert plain.focal_length is None
    header = read_header(save(tmp_path / "b.jpg", **{f"_{FOCAL_LENGTH_35MM}": value}))
    assert header is not None
    assert (header.focal_length is None) == (value == 0)


def test_what_is_no_image_has_no_header(tmp_path: Path) -> None:
    assert read_header(tmp_path / "missing.jpg") is None
    (tmp_path / "text.jpg").write_text("no image")
    assert read_header(tmp_path / "text.jpg") is None
    assert read_header(tmp_path) is None


GPS = 0x8825


@pytest.mark.parametrize(
    ("tags", "position"),
    [
        ({1: "N", 2: (50, 30, 36), 3: "E", 4: (4, 15, 0), 6: 120.5}, (50.51, 4.25, 120.5)),
        ({1: "S", 2: (0, 30, 0), 3: "W", 4: (4, 0, 0), 5: b"\1", 6: 8.0}, (-0.5, -4.0, -8.0)),
        ({1: "N", 2: (50, 0, 0)}, None),
        ({1: "N", 2: (95, 0, 0), 3: "E", 4: (4, 0, 0)}, None),
        ({2: (50, 0, 0), 4: (4, 0, 0)}, None),
    ],
)
def test_where_the_camera_was(tmp_path: Path, tags: dict, position: tuple | None) -> None:
    exif = Image.Exif()
    exif.get_ifd(GPS).update(tags)
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg", exif=exif)
    header = read_header(tmp_path / "a.jpg")
    assert header is not None
    assert header.position == (None if position is None else pytest.approx(position))
