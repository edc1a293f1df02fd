import os
import signal
from pathlib import Path

import pytest

from gluestick.storage import result_folder
from gluestick.storage.result_folder import files_together

NAMES = ("a.png", "b.npz", "run.json")


def write(folder: Path, run: str, names: tuple[str, ...] = NAMES) -> None:
    with files_together(folder, NAMES) as temporary:
        assert temporary.parent == folder
        for name in names:
            (temporary / name).write_text(run)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_files_of_one_run_take_the_place_of_those_of_another(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    write(folder, "first")
    assert contents(folder) == dict.fromkeys(NAMES, "first")
    (folder / "other.png").write_text("kept")
    write(folder, "second", NAMES[1:])
    assert contents(folder) == {"b.npz": "second", "run.json": "second", "other.png": "kept"}
    assert len([*folder.iterdir()]) == 3


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_leaves_the_folder_as_it_was(tmp_path: Path, error: BaseException) -> None:
    write(tmp_path, "first")

    def fail() -> None:
        with files_together(tmp_path, NAMES) as temporary:
            (temporary / "a.png").write_text("second")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert contents(tmp_path) == dict.fromkeys(NAMES, "first")
    assert len([*tmp_path.iterdir()]) == 3


def test_what_is_in_the_way_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with pytest.raises(ValueError, match=r"run\.json"), files_together(tmp_path, NAMES):
        raise AssertionError
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_an_interrupt_waits_until_all_files_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "first")
    move = result_folder._move

    def interrupted(source: Path, target: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        move(source, target)

    monkeypatch.setattr(result_folder, "_move", interrupted)
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, "second")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, earlier)
    assert contents(tmp_path) == dict.fromkeys(NAMES, "second")


@pytest.mark.skipif(os.name == "nt", reason="forks")
@pytest.mark.parametrize("step", range(7))
def test_a_kill_never_mixes_runs(tmp_path: Path, step: int) -> None:
    write(tmp_path, "first")
    left = [step]

    def killed() -> None:
        for name in ("unlink", "replace"):
            change = getattr(Path, name)

            def changed(self: Path, *args, change=change, **kwargs):  # type: ignore[no-untyped-def]
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
                return change(self, *args, **kwargs)

            setattr(Path, name, changed)
        write(tmp_path, "second")
        os._exit(0)

    child = os.fork()
    if child == 0:
        killed()
    os.waitpid(child, 0)
    found = contents(tmp_path)
    assert len({*found.values()}) <= 1
    assert "run.json" not in found or len(found) == 3
    write(tmp_path, "third")
    assert contents(tmp_path) == dict.fromkeys(NAMES, "third")
    assert len([*tmp_path.iterdir()]) == 3


@pytest.mark.skipif(os.name == "nt", reason="forks")
def test_two_processes_take_turns(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    child = os.fork()
    if child == 0:
        for _ in range(150):
            write(folder, "child")
        os._exit(0)
    for _ in range(150):
        write(folder, "parent")
    assert os.waitpid(child, 0)[1] == 0
    found = contents(folder)
    assert len(found) == 3
    assert len({*found.values()}) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_links_are_followed_and_permissions_are_kept(tmp_path: Path) -> None:
    target, folder = tmp_path / "elsewhere.json", tmp_path / "folder"
    target.write_text("earlier")
    target.chmod(0o640)
    folder.mkdir()
    (folder / "run.json").symlink_to(target)
    write(folder, "new")
    assert (folder / "run.json").is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640
