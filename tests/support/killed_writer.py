"""Writers that are killed, and what is left; run as ``killed_writer.py FOLDER STRIDE``.

First, before and in the middle of changes to files (writes, cuts, renamings, removals), a forked
writer kills itself, at another step each time. Then writers are killed at random times. Whatever
they had finished must be found by a reader and by the next writer, which must leave nothing but
the file. Prints how many kills were survived.
"""

import itertools
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.storage.h5 import store
from gluestick.storage.h5.reader import H5Reader
from gluestick.storage.h5.store import H5Store
from gluestick.storage.raw_file import RawFile

EARLIER = [("earlier", 8), ("c", 9)]
STEPS = [("a", 1), ("folder/b", 2), ("c", 3), ("a", 4), ("d", 5), ("e", 6)]
SIZE = 300
RANDOM_KILLS = 12


def main(folder: Path, stride: int) -> None:
    store.MERGE_BYTES = 2 * 8 * SIZE + 500  # each third entry
    # A killed process loses nothing that the kernel has, on the disk or not.
    RawFile.sync = os.fsync = lambda _: None
    kills = 0
    for earlier in ([], EARLIER):
        for number in itertools.count(0, stride):
            if not killed_at(number, folder / "steps", earlier):
                break
            kills += 1
    print(kills, "kills at steps")
    print(killed_at_random(folder / "random"), "entries of", RANDOM_KILLS, "killed writers")


def killed_at(number: int, folder: Path, earlier: list[tuple[str, int]]) -> bool:
    """Kill a writer at one of its steps and check the file; return False if it has fewer."""
    folder.mkdir()
    path, told = folder / "store.h5", folder / "told"
    if earlier:
        write(path, earlier)
    status = in_child(lambda: write_and_tell(path, STEPS, told, number))
    count = told.stat().st_size if told.exists() else 0
    told.unlink(missing_ok=True)
    if (earlier or count) and number % 4 < 2:  # else the next writer is the first to see it
        check(path, earlier + STEPS[:count], STEPS[: count + 1])
    write(path, STEPS[count:])
    check(path, earlier + STEPS, [])
    only(path)
    shutil.rmtree(folder)
    return os.WIFSIGNALED(status)


def killed_at_random(folder: Path) -> int:
    """Kill writers that go on where the last one was; return how many entries they finished."""
    folder.mkdir()
    path, told = folder / "store.h5", folder / "told"
    rng = random.Random(0)
    done: list[tuple[str, int]] = []
    for _ in range(RANDOM_KILLS):
        rest = ((f"{number:06}", number) for number in itertools.count(len(done)))
        child = os.fork()
        if child == 0:
            write_and_tell(path, rest, told)
        while not told.exists():
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        done += [(f"{len(done) + n:06}", len(done) + n) for n in range(told.stat().st_size)]
        told.unlink()
        if done and rng.random() < 0.5:
            check(path, done, [(f"{len(done):06}", len(done))])
    write(path, [])
    check(path, done, [(f"{len(done):06}", len(done))])
    only(path)
    return len(done)


def in_child(run: Callable[[], None]) -> int:
    """Run something in a forked process and return how it ended."""
    child = os.fork()
    if child == 0:
        try:
            run()
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1]


def write_and_tell(
    path: Path, steps: Iterable[tuple[str, int]], told: Path, number: int | None = None
) -> None:
    """Write entries, tell of each that is finished, and end the process."""
    if number is not None:
        kill_at(number)
    with told.open("wb", buffering=0) as file:
        write(path, steps, finished=lambda: file.write(b"."))
    os._exit(0)


def write(path: Path, steps: Iterable[tuple[str, int]], finished: Callable[[], Any] = int) -> None:
    with H5Store(path) as store:
        for name, value in steps:
            store.append(name, {"values": np.full(SIZE, float(value))}, attributes={"a": value})
            finished()


def check(path: Path, finished: list[tuple[str, int]], maybe: list[tuple[str, int]]) -> None:
    """Check that what was finished is there, or what was being written in its place."""
    with H5Reader(path) as reader:
        for name, value in dict(finished).items():
            entry = reader.read(name)
            found = {*entry.arrays["values"], entry.attributes["a"]}
            if found not in ({value}, {dict(maybe).get(name)}):
                raise AssertionError(f"{name} is {found} instead of {value}")
        if not set(reader.names()) <= {name for name, _ in (*finished, *maybe)}:
            raise AssertionError(f"found {reader.names()}")


def only(path: Path) -> None:
    left = {found.name for found in path.parent.iterdir()} - {path.name, "told"}
    if left:
        raise AssertionError(f"left behind: {left}")


def kill_at(number: int) -> None:
    """Have this process kill itself at a step; every second time a write is half done."""
    left = [number // 2]
    write_at = RawFile.write_at

    def before(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Any, *arguments: Any, **named: Any) -> Any:
            if left[0] == 0:
                if number % 2 and change is write_at:
                    offset, data = arguments
                    change(self, offset, data[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return change(self, *arguments, **named)

        return changed

    RawFile.write_at = before(write_at)
    RawFile.truncate = before(RawFile.truncate)
    Path.replace = before(Path.replace)
    Path.unlink = before(Path.unlink)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
