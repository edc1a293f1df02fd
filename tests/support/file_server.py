"""A server on loopback that answers ranges, and misbehaves when it is told to."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class FileServer(ThreadingHTTPServer):
    """Serves one file at any path.

    Attributes:
        content: The file.
        tag: Its entity tag, or None to send none.
        ranges: Whether ranges are answered.
        cut_after: After how many bytes of an answer the connection is closed, None for never.
        failures: How many requests are answered with an error first.
        status: The status of these errors.
        requested: The ``Range`` header of each request, None without one.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.tag: str | None = '"1"'
        self.ranges = True
        self.cut_after: int | None = None
        self.failures = 0
        self.status = 503
        self.requested: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/data.bin"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        server = self.server
        header = self.headers.get("Range")
        server.requested.append(header)
        if server.failures:
            server.failures -= 1
            self.send_error(server.status)
            return
        start, total = 0, len(server.content)
        same = self.headers.get("If-Range") in (None, server.tag)
        if header and server.ranges and same:
            start = int(header.removeprefix("bytes=").rstrip("-"))
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        if server.tag:
            self.send_header("ETag", server.tag)
        self.send_header("Content-Length", str(total - start))
        self.end_headers()
        self.wfile.write(server.content[start:][: server.cut_after])

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(content: bytes) -> Iterator[FileServer]:
    """Run a server in a thread."""
    server = FileServer(content)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
