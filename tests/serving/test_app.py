"""The server on loopback, under load, with good and bad uploads."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from gluestick.pipeline import PointLineMatcher

uvicorn = pytest.importorskip("uvicorn", reason="the extra serve is not installed")
pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("multipart", reason="the extra serve is not installed")

from gluestick.serving.app import MatchServer, ServerLimits  # noqa: E402

LIMITS = ServerLimits(max_bytes=200_000, max_pixels=100_000, max_pending=50, read_seconds=3.0)
BOUNDARY = "limit"
Address = tuple[str, int]


@pytest.fixture(scope="module")
def server(small_matcher: PointLineMatcher) -> Iterator[tuple[MatchServer, Address]]:
    before, small_matcher.view = small_matcher.view, "none"
    matching = MatchServer(small_matcher, name="small", limits=LIMITS)
    config = uvicorn.Config(matching.app(), host="127.0.0.1", port=0, log_level="error")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield matching, running.servers[0].sockets[0].getsockname()
    running.should_exit = True
    thread.join()
    matching.close()
    small_matcher.view = before


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> tuple[bytes, bytes]:
    folder = tmp_path_factory.mktemp("uploads")
    for letter in "ab":
        with Image.open(assets / f"leuven_{letter}.jpg") as image:
            image.resize((188, 141)).save(folder / f"{letter}.jpg", quality=95)
    return (folder / "a.jpg").read_bytes(), (folder / "b.jpg").read_bytes()


def form(**files: bytes) -> bytes:
    body = b""
    for name, content in files.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}"'
        body += f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def post(address: Address, body: bytes, kind: str = "multipart/form-data") -> tuple[int, dict]:
    connection = http.client.HTTPConnection(*address, timeout=60)
    headers = {"Content-Type": f"{kind}; boundary={BOUNDARY}"}
    try:
        connection.request("POST", "/match", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def health(address: Address) -> dict:
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.request("GET", "/health")
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def send_half(address: Address, body: bytes, *, wait: bool = False) -> bytes:
    """Send half of an upload, and go or wait for the answer."""
    with socket.create_connection(address, timeout=30) as connection:
        head = (
            f"POST /match HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
        )
        connection.sendall(head.encode() + body[: len(body) // 2])
        return connection.recv(1000) if wait else b""


def test_a_pair_is_matched_as_without_the_server(
    server: tuple[MatchServer, Address], images: tuple[bytes, bytes]
) -> None:
    status, answer = post(server[1], form(image0=images[0], image1=images[1]))
    assert status == 200
    assert answer["image_size0"] == [188, 141]
    assert len(answer["points0"]) == len(answer["points1"]) == len(answer["scores"]) > 15
    assert len(answer["lines0"]) == len(answer["lines1"]) == len(answer["line_scores"])
    assert answer["geometry"]["model"] in ("homography", "fundamental")
    assert answer["geometry"]["trusted"] is True


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        ({"image0": b"no image", "image1": b"no image"}, 422, "image0 is not an image"),
        ({"image0": b""}, 400, "needs a file image1"),
        ({"image0": b"0" * 150_000, "image1": b"0" * 150_000}, 413, "at most 200000 bytes"),
    ],
)
def test_bad_uploads_are_told_what_is_wrong(
    server: tuple[MatchServer, Address], files: dict[str, bytes], status: int, words: str
) -> None:
    found, answer = post(server[1], form(**files))
    assert (found, words in answer["error"]) == (status, True), answer


def test_what_is_no_form_is_refused(server: tuple[MatchServer, Address]) -> None:
    assert post(server[1], b"{}", kind="application/json")[0] == 415
    assert post(server[1], b"nonsense")[0] == 400


def test_an_image_of_too_many_pixels_is_refused(
    server: tuple[MatchServer, Address], images: tuple[bytes, bytes], tmp_path: Path
) -> None:
    Image.new("L", (4000, 3000)).save(tmp_path / "large.png")
    bomb = (tmp_path / "large.png").read_bytes()
    status, answer = post(server[1], form(image0=images[0], image1=bomb))
    assert status == 422
    assert "4000 x 3000 pixels" in answer["error"]


def test_an_upload_that_stops_is_ended(
    server: tuple[MatchServer, Address], images: tuple[bytes, bytes]
) -> None:
    body = form(image0=images[0], image1=images[1])
    assert b" 408 " in send_half(server[1], body, wait=True)


def test_under_load_every_request_is_answered(
    server: tuple[MatchServer, Address], images: tuple[bytes, bytes]
) -> None:
    """Forty requests at once: good, damaged, huge and broken off."""
    address = server[1]
    before = health(address)["matched"]
    good = form(image0=images[0], image1=images[1])
    damaged = form(image0=images[0], image1=images[1][:500])
    huge = form(image0=b"0" * 300_000, image1=images[1])

    def one(number: int) -> int:
        kind = number % 5
        if kind == 4:
            send_half(address, good)
            return 0
        return post(address, (good, damaged, huge, b"nonsense")[kind])[0]

    with ThreadPoolExecutor(40) as pool:
        statuses = list(pool.map(one, range(40)))
    assert statuses == [200, 422, 413, 400, 0] * 8
    until = time.monotonic() + 10
    while (state := health(address))["pending"] and time.monotonic() < until:
        time.sleep(0.05)
    assert state["pending"] == 0
    assert state["matched"] == before + 8
