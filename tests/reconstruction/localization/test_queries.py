from pathlib import Path

import pytest
from PIL import Image

from gluestick.reconstruction.known_cameras import KnownCamera
from gluestick.reconstruction.localization.queries import Query, query_camera, read_queries

pytest.importorskip("pycolmap")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    for name in ("b c.png", "a.png", "inner/d.png"):
        Image.new("RGB", (60, 40)).save(tmp_path / name)
    return tmp_path


def test_a_folder_and_what_is_below(folder: Path) -> None:
    queries = read_queries(folder)
    assert [query.name for query in queries] == ["a.png", "b c.png", "inner/d.png"]
    assert queries[2].path == folder / "inner" / "d.png"
    assert {query.camera for query in queries} == {None}


def test_a_list_with_cameras_and_names_with_blanks(folder: Path) -> None:
    (folder / "list.txt").write_text(
        "# queries\nb c.png SIMPLE_RADIAL 60 40 55.5 30 20 -1e-2\ninner/d.png\nb c.png\n"
    )
    queries = read_queries(folder / "list.txt")
    assert [query.name for query in queries] == ["b c.png", "inner/d.png"]
    assert queries[0].camera == KnownCamera("SIMPLE_RADIAL", (55.5, 30, 20, -0.01), (60, 40))
    assert queries[1].camera is None
    camera = query_camera(queries[0], (60, 40))
    assert camera.source == "given"
    assert camera.calibrated.params.tolist() == [55.5, 30, 20, -0.01]
    with pytest.raises(ValueError, match="is for 60 x 40 px, and the photograph has 30 x 20 px"):
        query_camera(queries[0], (30, 20))


def test_a_list_elsewhere_and_a_file_of_cameras(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "list.txt").write_text("a.png PINHOLE 60 40 1 1 30 20\ngone.png\n")
    (tmp_path / "cameras.txt").write_text("1 SIMPLE_PINHOLE 60 40 50 30 20\n")
    queries = read_queries(
        tmp_path / "lists" / "list.txt", query_dir=folder, cameras=tmp_path / "cameras.txt"
    )
    assert [query.path for query in queries] == [folder / "a.png", folder / "gone.png"]
    assert {query.camera for query in queries} == {
        KnownCamera("SIMPLE_PINHOLE", (50.0, 30.0, 20.0), (60, 40))
    }


def test_exif_tells_a_focal_length_that_is_only_expected(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 36
    Image.new("RGB", (72, 48)).save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGB", (72, 48)).save(tmp_path / "b.jpg")
    known, unknown = (query_camera(query, (72, 48)) for query in read_queries(tmp_path))
    assert (known.source, unknown.source) == ("exif", "unknown")
    assert known.expected_focal_length == pytest.approx(72, rel=1e-3)
    assert known.calibrated is unknown.calibrated is unknown.expected_focal_length is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs lines with the name of a photograph"),
        ("../a.png\n", "line 1: '../a.png' is not below the folder"),
        ("a.png\nb.png NOTHING 60 40 1 2 3\n", "line 2: there is no camera model NOTHING"),
        ("a.png PINHOLE 60 40 1 2 3\n", "line 1: PINHOLE needs 4 parameters, found 3"),
        ("a.png SIMPLE_PINHOLE 60 40 -1 30 20\n", "line 1: SIMPLE_PINHOLE needs a positive focal"),
    ],
)
def test_lists_that_cannot_be_read(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(ValueError, match=words):
        read_queries(tmp_path / "list.txt")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder and no list"):
        read_queries(tmp_path / "gone")
    (tmp_path / "list.txt").write_text("a.png\n")
    with pytest.raises(ValueError, match=r"no folder .*gone of queries"):
        read_queries(tmp_path / "list.txt", query_dir=tmp_path / "gone")


def test_known_cameras_need_their_parameters() -> None:
    query = Query(name="a", path=Path("a"), camera=KnownCamera("PINHOLE", (1.0, 1.0, 2.0)))
    with pytest.raises(ValueError, match="PINHOLE needs 4 parameters, found 3"):
        query_camera(query, (4, 4))
