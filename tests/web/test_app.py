import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from strange_images import write_strange

pytest.importorskip("gradio", reason="the extra web is not installed")

from gradio_client import Client, handle_file
from live_page import LivePage, live_page

from gluestick.web.limits import Limits
from gluestick.web.matching import MatchingService

LIMITS = Limits(max_file_bytes=200_000, max_stored_bytes=20_000_000)

QUICK = {
    "model": "aliked-lsd",
    "max_num_keypoints": 128,
    "max_num_lines": 40,
    "resize": 320,
    "min_length": 15,
    "point_threshold": 0.1,
    "line_threshold": 0.45,
    "max_error": 0,
    "view": "auto",
    "geometry": "auto",
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, service: MatchingService) -> Iterator[LivePage]:
    folder = tmp_path_factory.mktemp("page")
    with live_page(folder, service, LIMITS, reconstruction=folder) as served:
        yield served


@pytest.fixture
def client(page: LivePage) -> Iterator[Client]:
    opened = Client(page.address, verbose=False, analytics_enabled=False, download_files=False)
    yield opened
    opened.close()
    page.sessions.end(opened.session_hash)


def test_photographs_are_matched_and_deleted(
    page: LivePage, client: Client, small: Callable[[str], Path], tmp_path: Path, assets: Path
) -> None:
    paths = [small("leuven_a.jpg"), small("leuven_b.jpg")]
    paths += [write_strange(tmp_path, name, assets) for name in ("text.png", "one_pixel.png")]
    uploads = [handle_file(path) for path in paths]
    said = client.predict(uploads, api_name="/take")
    assert "<li>leuven_a.jpg</li><li>leuven_b.jpg</li>" in said
    assert "text.png is not an image that can be read" in said
    assert "one_pixel.png has 1 x 1 pixels" in said
    shown = client.predict(uploads, **QUICK, api_name="/match")
    texts = json.dumps(shown)
    assert "Trusted: " in texts
    names = {path.name for path in page.files()}
    assert {"leuven_a.jpg", "matches.npz", "run.json", "overlay.png", "gluestick.zip"} <= names
    (viewer,) = [path for path in page.files() if path.name == "viewer.html"]
    address = f"/viewer/{viewer.parent.parent.name}/{viewer.parent.name}"
    assert address in texts
    status, text, policy = page.get(address)
    assert (status, "leuven_a.jpg – leuven_b.jpg" in text) == (200, True)
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    page.sessions.end(client.session_hash)
    assert not names & {path.name for path in page.files()}
    assert page.get(address)[0] == 404


def test_too_few_photographs_and_other_choices_are_one_line(
    client: Client, small: Callable[[str], Path]
) -> None:
    photograph = handle_file(small("leuven_a.jpg"))
    with pytest.raises(Exception, match="drop two to 8 photographs, found 1"):
        client.predict([photograph], **QUICK, api_name="/match")
    changed = {**QUICK, "max_num_keypoints": 10**9}
    with pytest.raises(Exception, match="greater than maximum value 4096"):
        client.predict([photograph] * 2, **changed, api_name="/match")


def test_a_large_file_is_refused(page: LivePage, client: Client, tmp_path: Path) -> None:
    before = len(page.files())
    large = tmp_path / "large.png"
    large.write_bytes(bytes(LIMITS.max_file_bytes + 10_000))
    with pytest.raises(Exception, match="exceeds the maximum file size"):
        client.predict([handle_file(large)], api_name="/take")
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="large.png"\r\n\r\n'
    body = part + large.read_bytes() + b"\r\n--x--\r\n"
    status, text = page.post("/gradio_api/upload", body, "multipart/form-data; boundary=x")
    assert (status, text) == (413, "File size exceeded maximum allowed size of 200000 bytes.")
    assert len(page.files()) == before


def test_no_upload_is_taken_while_much_is_stored(page: LivePage) -> None:
    stored = page.sessions.uploads / "much"
    stored.write_bytes(bytes(LIMITS.max_stored_bytes))
    try:
        status, text = page.post("/gradio_api/upload", b"", "multipart/form-data; boundary=x")
    finally:
        stored.unlink()
    assert (status, text) == (507, "No space is left for uploads: try later")


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file={}",
        "/gradio_api/file=http://127.0.0.1:1/x",
        "/gradio_api/file/{}",
        "/gradio_api/proxy=http://127.0.0.1:1/x",
        "/gradio_api/vibe-code",
        "/monitoring",
        "/docs",
        "/viewer/../setup.cfg",
        "/viewer/00000000000000000000000000000000/1-2",
    ],
)
def test_nothing_else_is_served(page: LivePage, tmp_path: Path, path: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret")
    status, text, _ = page.get(path.format(secret))
    assert status in (403, 404)
    assert "a secret" not in text


@pytest.mark.parametrize("named", ["{}", "http://127.0.0.1:1/x.png", "x.png", "{}/../x"])
def test_files_are_not_named_but_uploaded(page: LivePage, tmp_path: Path, named: str) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (40, 40)).save(secret)
    file = {"path": named.format(secret), "meta": {"_type": "gradio.FileData"}}
    body = {"data": [[file]], "fn_index": 0, "session_hash": "x"}
    for address in ("/gradio_api/run/predict", "/gradio_api/queue/join"):
        status, text = page.post(address, json.dumps(body).encode())
        assert (status, "needs to be uploaded" in text) == (403, True)
    assert not [path for path in page.files() if path.name == "secret.png"]


def test_requests_that_are_none_are_refused(page: LivePage) -> None:
    assert page.post("/gradio_api/run/predict", b"{")[0] == 400
    assert page.post("/gradio_api/run/predict", b"[" * 100_000)[0] == 400
    assert page.post("/gradio_api/run/predict", b" " * 2_000_000)[0] == 413
    assert page.get("/", host="elsewhere.example")[0] == 400


def test_the_report_of_a_reconstruction_is_shown(page: LivePage) -> None:
    report = page.sessions.uploads.parent / "report.html"
    assert page.get("/reconstruction")[:1] == (404,)
    assert "holds no report.html" in page.get("/reconstruction")[1]
    report.write_text("<h1>All registered</h1>")
    try:
        status, text, policy = page.get("/reconstruction")
    finally:
        report.unlink()
    assert (status, text) == (200, "<h1>All registered</h1>")
    assert "connect-src data: blob:" in policy


def test_the_page_names_no_other_server(page: LivePage) -> None:
    status, text, _ = page.get("/")
    assert status == 200
    for kind in ("src", "href"):
        assert f'{kind}="http' not in text.replace(f'{kind}="{page.address}', "")
    config = json.loads(page.get("/config")[1])
    assert not config["analytics_enabled"]
    assert "googleapis" not in page.get("/theme.css")[1]
    sizes = [part["props"]["value"] for part in config["components"] if part["type"] == "slider"]
    assert sizes[:2] == [1024, 250]


def test_a_closed_page_leaves_nothing(
    page: LivePage, client: Client, small: Callable[[str], Path]
) -> None:
    def left() -> list[str]:
        return [path.name for path in page.files() if path.name == "graffiti_a.jpg"]

    client.predict([handle_file(small("graffiti_a.jpg"))], api_name="/take")
    assert left() == ["graffiti_a.jpg"]
    client.close()
    end = time.monotonic() + 20
    while left() and time.monotonic() < end:
        time.sleep(0.05)
    assert not left()
