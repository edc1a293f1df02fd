import os
from pathlib import Path

import pytest

from gluestick.web.sessions import Sessions

HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Sessions:
    return Sessions(tmp_path, keep_seconds=HOUR, clock=clock)


def upload(sessions: Sessions, name: str) -> Path:
    path = sessions.uploads / f"hash-of-{name}" / name
    path.parent.mkdir()
    path.write_bytes(b"pixels")
    return path


def write_result(folder: Path) -> Path:
    path = folder / "1-2" / "viewer.html"
    path.parent.mkdir()
    path.write_text("page")
    return path


def files(sessions: Sessions) -> list[Path]:
    return [path for path in sessions.uploads.rglob("*") if path.is_file()]


def test_the_end_of_a_session_deletes_what_belongs_to_it(sessions: Sessions) -> None:
    mine, ours = upload(sessions, "mine.jpg"), upload(sessions, "ours.jpg")
    write_result(sessions.folder("me"))
    others = write_result(sessions.folder("you"))
    sessions.uploaded("me", [mine, ours])
    sessions.uploaded("you", [ours])
    sessions.end("me")
    assert {*files(sessions)} == {ours, others}
    assert not mine.parent.exists()
    sessions.end("you")
    assert not files(sessions)
    sessions.end("nobody")


def test_what_is_taken_out_is_deleted_at_once(sessions: Sessions) -> None:
    first, second = upload(sessions, "a.jpg"), upload(sessions, "b.jpg")
    sessions.uploaded("me", [first, second])
    sessions.uploaded("me", [second])
    assert files(sessions) == [second]


def test_new_results_replace_earlier_ones(sessions: Sessions) -> None:
    earlier = write_result(sessions.folder("me"))
    folder = sessions.folder("me")
    assert not earlier.exists()
    assert folder.is_dir()
    assert folder.name != earlier.parent.parent.name


def test_what_nobody_used_for_long_is_deleted(sessions: Sessions, clock: Clock) -> None:
    held, stray = upload(sessions, "held.jpg"), upload(sessions, "stray.jpg")
    unfinished = sessions.uploads / "tmp1234"
    unfinished.touch()
    for path in (held.parent, stray.parent, unfinished):
        os.utime(path, (clock.now, clock.now))
    sessions.uploaded("me", [held])
    clock.now += HOUR / 2
    kept = write_result(sessions.folder("you"))
    sessions.end_old()
    assert {*files(sessions)} == {held, stray, unfinished, kept}
    clock.now += HOUR * 0.6
    sessions.end_old()
    assert files(sessions) == [kept]


def test_files_elsewhere_are_left_alone(sessions: Sessions, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.jpg"
    elsewhere.write_bytes(b"pixels")
    sessions.uploaded("me", [elsewhere])
    sessions.end("me")
    assert elsewhere.exists()


def test_results_are_found_by_their_names_alone(sessions: Sessions) -> None:
    path = write_result(sessions.folder("me"))
    token = path.parent.parent.name
    assert sessions.result(token, "1-2/viewer.html") == path
    assert sessions.result(token, "1-3/viewer.html") is None
    for name in ("../x", "1-2/../../x.html", "/etc/passwd", "1-2/", "."):
        assert sessions.result(token, name) is None
    for other in ("..", "0" * 32, token.upper(), token + "\n"):
        assert sessions.result(other, "1-2/viewer.html") is None


def test_what_is_stored_is_counted(sessions: Sessions) -> None:
    empty = sessions.stored_bytes()
    upload(sessions, "a.jpg").write_bytes(bytes(100_000))
    assert 100_000 <= sessions.stored_bytes() - empty < 120_000
