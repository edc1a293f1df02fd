"""COLMAP's database, opened only if it is one, so that nothing else is ever changed."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.storage.atomic import atomic_path

Schema = dict[str, frozenset[str]]
"""The columns of each table."""


@contextmanager
def colmap_errors(what: str) -> Iterator[None]:
    """Turn what pycolmap raises in a block into a ``ValueError`` that says what was done.

    Args:
        what: What the block does, such as "writing database.db".
    """
    try:
        yield
    except (RuntimeError, ValueError, IndexError) as error:
        raise ValueError(f"{what} failed: {error}") from error


def quiet_pycolmap(pycolmap: Any) -> None:
    """Let pycolmap log nothing but what ends the process."""
    pycolmap.logging.minloglevel = int(pycolmap.logging.FATAL)


@contextmanager
def open_database(path: Path) -> Iterator[Any]:
    """Open a database for a block, and create one where there is none.

    Args:
        path: The file. Missing folders are created.

    Yields:
        A ``pycolmap.Database``.

    Raises:
        ValueError: If there is another file, a database of another schema than that of the
            installed pycolmap, or one that another program has locked.
        ImportError: If pycolmap is missing.
    """
    pycolmap = import_pycolmap("a COLMAP database")
    check_database(path)
    if not path.exists():
        _create(path, pycolmap)
    with colmap_errors(f"opening {path}"):
        database = pycolmap.Database.open(str(path))
    with database:
        yield database


def check_database(path: Path) -> None:
    """Check that a file, if there is one, is a database that can be extended.

    Raises:
        ValueError: If it is another file, or a database of another schema than that of the
            installed pycolmap.
        ImportError: If pycolmap is missing.
    """
    pycolmap = import_pycolmap("a COLMAP database")
    quiet_pycolmap(pycolmap)
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    if not path.is_file():
        raise ValueError(f"the database {path} is a folder: name a file")
    found = _schema(path)
    with scratch_database() as empty:
        needed = _schema(empty)
    other = sorted(table for table in needed if found.get(table) != needed[table])
    if other:
        raise ValueError(
            f"{path} is no database of COLMAP {pycolmap.__version__}, whose tables "
            f"{', '.join(other)} it lacks or has in another form: name another file"
        )


@contextmanager
def scratch_database() -> Iterator[Path]:
    """Give an empty database to a block, at whose end it is gone.

    Yields:
        Its file.
    """
    pycolmap = import_pycolmap("a COLMAP database")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "scratch.db"
        pycolmap.Database.open(str(path)).close()
        yield path


def _create(path: Path, pycolmap: Any) -> None:
    """Put an empty database in place, whole or not at all."""
    with atomic_path(path) as temporary:
        try:
            pycolmap.Database.open(str(temporary)).close()
        except RuntimeError as error:
            for left in temporary.parent.glob(f"{temporary.name}-*"):  # of SQLite
                left.unlink(missing_ok=True)
            raise ValueError(
                f"{path} cannot be created ({error}): the disk may be full, or the folder not yours"
            ) from error


def _schema(path: Path) -> Schema:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as opened:
            names = [
                row[0]
                for row in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            return {
                name: frozenset(
                    row[1] for row in opened.execute(f"PRAGMA table_info({_quoted(name)})")
                )
                for name in names
            }
    except sqlite3.Error as error:
        raise ValueError(
            f"{path} cannot be read as a COLMAP database: {error}; name another file"
        ) from error


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
