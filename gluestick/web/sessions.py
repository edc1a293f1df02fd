"""The files of the people who use the page, and when they go."""

import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass(kw_only=True)
class _Session:
    """What belongs to one open page."""

    token: str
    used: float
    uploads: set[Path] = field(default_factory=set)


class Sessions:
    """A folder for the results of each open page, and a list of what was uploaded there.

    Folders have names that cannot be guessed. Calls may come from several threads.

    Args:
        root: The folder below which everything lies; nothing else may lie there.
        keep_seconds: After so long without use, a session ends by itself.
        clock: Seconds since 1970, as files have them.

    Attributes:
        uploads: The folder that uploads are written to.
    """

    def __init__(
        self, root: Path, *, keep_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.uploads = root / "uploads"
        self._results = self.uploads / "results"
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()
        self._results.mkdir(parents=True)

    def folder(self, key: str) -> Path:
        """Return the empty folder for new results of a session; earlier ones are deleted."""
        with self._lock:
            session = self._session(key)
            shutil.rmtree(self._results / session.token, ignore_errors=True)
            session.token = secrets.token_hex(16)
            folder = self._results / session.token
            folder.mkdir()
            return folder

    def uploaded(self, key: str, paths: Iterable[Path]) -> None:
        """Remember which uploads a session uses; those that only it used before are deleted."""
        with self._lock:
            session = self._session(key)
            before, session.uploads = session.uploads, {*paths}
            self._delete_unused(before)

    def result(self, token: str, name: str) -> Path | None:
        """Return the file of a result, or None where there is none.

        Args:
            token: The name of a session's folder.
            name: The file below it, two names with a slash.
        """
        if not _TOKEN.fullmatch(token) or not re.fullmatch(r"\d+-\d+/[a-z]+\.[a-z]+", name):
            return None
        path = self._results / token / name
        return path if path.is_file() else None

    def end(self, key: str) -> None:
        """Delete everything that belongs to a session."""
        with self._lock:
            session = self._sessions.pop(key, None)
            if session is not None:
                shutil.rmtree(self._results / session.token, ignore_errors=True)
                self._delete_unused(session.uploads)

    def end_old(self) -> None:
        """End the sessions that nobody used for long, and delete what belongs to none."""
        oldest = self._clock() - self._keep_seconds
        for key, session in [*self._sessions.items()]:
            if session.used < oldest:
                self.end(key)
        with self._lock:
            known = {self._results / session.token for session in self._sessions.values()}
            held = {path.parent for session in self._sessions.values() for path in session.uploads}
            for entry in (*self.uploads.iterdir(), *self._results.iterdir()):
                if entry not in known and entry not in held and entry != self._results:
                    with suppress(OSError):
                        if entry.stat().st_mtime < oldest:
                            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def stored_bytes(self) -> int:
        """Return how much is stored."""
        total = 0
        for path in self.uploads.rglob("*"):
            with suppress(OSError):
                total += path.stat().st_size
        return total

    def _session(self, key: str) -> _Session:
        session = self._sessions.setdefault(
            key, _Session(token=secrets.token_hex(16), used=self._clock())
        )
        session.used = self._clock()
        return session

    def _delete_unused(self, paths: Iterable[Path]) -> None:
        held = {path for session in self._sessions.values() for path in session.uploads}
        for path in paths:
            if path not in held and path.is_relative_to(self.uploads):
                path.unlink(missing_ok=True)
                with suppress(OSError):  # not empty
                    path.parent.rmdir()
