"""The page, served on loopback by a thread of the test's own process."""

import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gluestick.web.app import PageServer, create_app
from gluestick.web.limits import Limits
from gluestick.web.matching import MatchingService
from gluestick.web.sessions import Sessions


@dataclass(frozen=True)
class LivePage:
    address: str
    sessions: Sessions

    def get(self, path: str, *, host: str | None = None) -> tuple[int, str, str]:
        """Return the status, the text and the security policy that a path is answered with."""
        request = urllib.request.Request(self.address + path)
        if host is not None:
            request.add_header("Host", host)
        return self._answer(request)

    def post(self, path: str, body: bytes, kind: str = "application/json") -> tuple[int, str]:
        request = urllib.request.Request(self.address + path, body, {"Content-Type": kind})
        return self._answer(request)[:2]

    def files(self) -> list[Path]:
        """Return uploads and results; what gradio's client leaves beside them is not ours."""
        return [path for path in self.sessions.uploads.glob("*/**/*") if path.is_file()]

    def _answer(self, request: urllib.request.Request) -> tuple[int, str, str]:
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                policy = response.headers.get("Content-Security-Policy", "")
                return response.status, response.read().decode(errors="replace"), policy
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace"), ""


@contextmanager
def live_page(
    root: Path, service: MatchingService, limits: Limits, *, reconstruction: Path | None
) -> Iterator[LivePage]:
    sessions = Sessions(root, keep_seconds=limits.keep_seconds)
    app = create_app(
        service,
        sessions,
        limits,
        reconstruction=reconstruction,
        hosts=["127.0.0.1", "localhost"],
    )
    server = PageServer(app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield LivePage(f"http://127.0.0.1:{listener.getsockname()[1]}", sessions)
        finally:
            server.handle_exit(signal.SIGINT, None)
            thread.join(timeout=20)
