"""Fetching and unpacking a data set: our own code against pooch, from a server on loopback.

Usage: ``pip install pooch`` and ``python docs/measurements/speed/parts/downloads.py [--megabytes
64]``.
"""

import argparse
import io
import logging
import multiprocessing
import os
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pooch

from gluestick.datasets.public_sets.archives import unpack
from gluestick.datasets.public_sets.download import ATTEMPTS, download, file_sha256

Fetch = Callable[[str, Path, str], object]
Unpack = Callable[[Path, Path], object]


def fetch_with_pooch(url: str, path: Path, sha256: str) -> None:
    """Fetch a file with as many attempts as ours has."""
    files = pooch.create(
        path.parent,
        "",
        registry={path.name: sha256},
        urls={path.name: url},
        retry_if_failed=ATTEMPTS - 1,
    )
    files.fetch(path.name)


def fetch_with_ours(url: str, path: Path, sha256: str) -> None:
    """Fetch a file."""
    download(url, path, sha256=sha256)


def unpack_with_pooch(archive: Path, folder: Path) -> None:
    """Unpack an archive that lies there already, as after a run that was stopped."""
    processor = pooch.Unzip if zipfile.is_zipfile(archive) else pooch.Untar
    processor(extract_dir=str(folder))(str(archive), "fetch", None)


@contextmanager
def server(content: bytes, *, limits: list[int]) -> Iterator[tuple[str, list[int]]]:
    """Serve a file; the first answers end after so many bytes. Yields the address and a count."""
    sent: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "bytes=0-")
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if start else 200)
            self.send_header("ETag", '"1"')
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            part = content[start:][: limits[len(sent)] if len(sent) < len(limits) else None]
            sent.append(len(part))
            self.wfile.write(part)

        def log_message(self, format: str, *args: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_address[1]}/data.bin", sent
    running.shutdown()
    running.server_close()


def transfer(fetch: Fetch, content: bytes, limits: list[int]) -> str:
    """Say whether a file arrives, how much was sent per byte of it, and the processor's time."""
    with tempfile.TemporaryDirectory() as folder, server(content, limits=limits) as (url, sent):
        path = Path(folder) / "data.bin"
        reference = Path(folder) / "reference"
        reference.write_bytes(content)
        sha256 = file_sha256(reference)
        start = time.process_time()
        try:
            fetch(url, path, sha256)
            outcome = "arrives" if path.read_bytes() == content else "damaged"
        except Exception as error:
            outcome = f"fails ({type(error).__name__})"
        seconds = time.process_time() - start
    return f"{outcome}, {sum(sent) / len(content):.2f} bytes sent per byte, {seconds:.2f} s"


def hostile_entry(extract: Unpack, kind: str) -> str:
    """Say what an entry outside the folder, or a link that leads there, does."""
    with tempfile.TemporaryDirectory() as folder:
        archive, inside = Path(folder) / f"a.{kind}", Path(folder) / "deep" / "data"
        if kind == "zip":
            with zipfile.ZipFile(archive, "w") as opened:
                opened.writestr("../outside", "x")
        else:
            with tarfile.open(archive, "w") as opened:
                member = tarfile.TarInfo("../outside")
                member.size = 1
                opened.addfile(member, io.BytesIO(b"x"))
        try:
            extract(archive, inside)
        except Exception as error:
            return f"refused ({type(error).__name__})"
        outside = (inside.parent / "outside").exists()
        return "**lands outside**" if outside else "lands inside under another name"


def killed(extract: Unpack, content: bytes) -> str:
    """Say whether a second run notices that the first was killed while it unpacked."""
    with tempfile.TemporaryDirectory() as folder:
        archive, inside = Path(folder) / "a.zip", Path(folder) / "data"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("set/a.bin", content)
        process = multiprocessing.Process(target=extract, args=(archive, inside))
        process.start()
        while not any(path.is_file() and path.stat().st_size for path in inside.rglob("*")):
            pass
        process.kill()
        process.join()
        extract(archive, inside)
        whole = (inside / "set" / "a.bin").read_bytes() == content
        return "complete" if whole else "**half a file is taken for the whole**"


def main() -> None:
    """Print what becomes of each case with both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=64, help="The size of the file.")
    content = os.urandom(parser.parse_args().megabytes << 20)
    pooch.get_logger().setLevel(logging.ERROR)
    most = len(content) * 9 // 10
    print("| | ours | pooch |\n|---|---|---|")
    for title, limits in {
        "nothing happens": [],
        "the connection breaks once, at 90%": [most],
        "it breaks each time, after 25%": [len(content) // 4] * 99,
    }.items():
        row = [transfer(fetch, content, limits) for fetch in (fetch_with_ours, fetch_with_pooch)]
        print(f"| {title} | {row[0]} | {row[1]} |")
    for kind in ("zip", "tar"):
        row = [hostile_entry(extract, kind) for extract in (unpack, unpack_with_pooch)]
        print(f"| `../outside` in a {kind} file | {row[0]} | {row[1]} |")
    row = [killed(extract, content) for extract in (unpack, unpack_with_pooch)]
    print(f"| killed while unpacking, run again | {row[0]} | {row[1]} |")


if __name__ == "__main__":
    main()
