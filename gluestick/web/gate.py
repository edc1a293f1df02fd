"""What of gradio's server can be reached from outside: what the page needs, and no more."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_API = "/gradio_api"
_OPEN = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)"
    r"|/(assets|static|svelte)/.+"
    r"|/viewer/[^/]+/[^/]+|/reconstruction"
    rf"|{_API}/(info|app_id|startup-events|theme\.css|queue/(join|data)|cancel|reset)/?"
    rf"|{_API}/(upload|upload_progress|heartbeat/[^/]+|file=/.+)"
    rf"|{_API}/run/[a-z]+"
)
_MOST_JSON = 1_000_000  # bytes


class Gate:
    """Refuses all requests but those of the page.

    Gradio also fetches addresses and files of the server that a request names in place of an
    upload, and passes requests on to others. None of this goes through.

    Args:
        app: The application behind.
        uploads: The folder in which all files lie that a request may name.
        stored_bytes: Returns how much is stored.
        max_stored_bytes: No upload is taken while as much is stored.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        uploads: Path,
        stored_bytes: Callable[[], int],
        max_stored_bytes: int,
    ) -> None:
        self._app = app
        self._uploads = uploads.resolve()
        self._stored_bytes = stored_bytes
        self._max_stored_bytes = max_stored_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        refusal = self._refusal(scope["path"])
        if refusal is None and request.headers.get("content-type", "").startswith(
            "application/json"
        ):
            body = await _read(request)
            refusal = self._refusal_of(body)
            receive = _replay(body or b"", receive)
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, path: str) -> Response | None:
        if not _OPEN.fullmatch(path):
            return PlainTextResponse("Not found", status_code=404)
        if path == f"{_API}/upload" and self._stored_bytes() >= self._max_stored_bytes:
            return PlainTextResponse("No space is left for uploads: try later", status_code=507)
        return None

    def _refusal_of(self, body: bytes | None) -> Response | None:
        if body is None:
            return PlainTextResponse("The request is too large", status_code=413)
        try:
            named = [*_paths(json.loads(body or b"null"))]
        except (ValueError, RecursionError):
            return JSONResponse({"detail": "the request is not JSON"}, status_code=400)
        for path in named:
            if not isinstance(path, str) or not self._is_upload(path):
                detail = "a file needs to be uploaded before it is named"
                return JSONResponse({"detail": detail}, status_code=403)
        return None

    def _is_upload(self, path: str) -> bool:
        try:
            return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self._uploads)
        except (OSError, ValueError):
            return False


def _paths(value: Any) -> list[Any]:
    """Return whatever stands under the key "path", at any depth."""
    if isinstance(value, dict):
        own = [value["path"]] if value.get("path") is not None else []
        return own + [path for inner in value.values() for path in _paths(inner)]
    if isinstance(value, list):
        return [path for inner in value for path in _paths(inner)]
    return []


async def _read(request: Request) -> bytes | None:
    """Return the body of a request, or None where it is too long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_JSON:
            return None
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a function that gives a body that was read already, and then what comes after."""
    left = [True]

    async def again() -> Message:
        if left:
            left.clear()
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again
