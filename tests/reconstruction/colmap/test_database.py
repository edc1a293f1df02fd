import sqlite3
from pathlib import Path

import pytest

from gluestick.reconstruction.colmap.database import colmap_errors, open_database

pytest.importorskip("pycolmap")


def test_a_new_database_is_made_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "database.db"
    for _ in range(2):
        with open_database(path) as database:
            assert database.num_images() == 0


def test_further_tables_are_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "database.db"
    with open_database(path):
        pass
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE notes (text TEXT)")
        opened.execute("INSERT INTO notes VALUES ('mine')")
    with open_database(path) as database:
        assert database.num_images() == 0
    with sqlite3.connect(path) as opened:
        assert opened.execute("SELECT text FROM notes").fetchall() == [("mine",)]


def test_a_database_of_another_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE images (image_id INTEGER, name TEXT)")
    opened.close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"no database of COLMAP .*cameras.*images"):
        open_database(path).__enter__()
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["other.db"]


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("no database" * 100)
    with pytest.raises(ValueError, match=r"text\.db cannot be read as a COLMAP database"):
        open_database(path).__enter__()
    with pytest.raises(ValueError, match="is a folder"):
        open_database(tmp_path).__enter__()


def test_errors_say_what_was_done() -> None:
    with pytest.raises(ValueError, match="writing x failed: disk"), colmap_errors("writing x"):
        raise RuntimeError("disk")
