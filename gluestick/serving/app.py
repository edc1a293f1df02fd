"""The server: ``POST /match`` with two images, ``GET /health``."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gluestick.matching.protocols import Matcher
from gluestick.serving.batches import Batcher, BusyError
from gluestick.serving.pairs import Answer, PairFiles, match_files

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_FIELDS = ("image0", "image1")
_OVERHEAD = 10_000
"""Bytes of a form that are no image."""


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """What a server does at most, so that its memory and its answers stay bounded.

    Attributes:
        max_batch: How many pairs are matched at once.
        max_wait: How long a pair waits for others to join it, s.
        max_pending: How many requests are read, waiting or matched; others are sent away.
        max_bytes: How large the two files of a request may be together.
        max_pixels: The largest width times height of an image.
        read_seconds: How long the upload may take, s.
        match_seconds: How long a pair may wait and be matched, s.
    """

    max_batch: int = 4
    max_wait: float = 0.02
    max_pending: int = 64
    max_bytes: int = 40_000_000
    max_pixels: int = 12_000_000
    read_seconds: float = 30.0
    match_seconds: float = 120.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} needs to be positive, found {value}")


class MatchServer:
    """Answers requests with one matcher.

    Args:
        matcher: The model.
        name: Its name.
        limits: What is done at most.
    """

    def __init__(self, matcher: Matcher, *, name: str, limits: ServerLimits) -> None:
        self.name, self.limits = name, limits
        self.num_pending = self.num_matched = self.num_refused = 0
        self._batcher: Batcher[PairFiles, Answer] = Batcher(
            partial(match_files, matcher, max_pixels=limits.max_pixels),
            max_batch=limits.max_batch,
            max_wait=limits.max_wait,
            max_waiting=limits.max_pending,
        )

    def app(self) -> Starlette:
        """Return the application, for any ASGI server."""
        routes = [
            Route("/match", self._match, methods=["POST"]),
            Route("/health", self._health, methods=["GET"]),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _as_json})

    def close(self) -> None:
        """Finish what waits."""
        self._batcher.close()

    async def _health(self, request: Request) -> Response:
        return JSONResponse(
            {
                "status": "ok",
                "model": self.name,
                "pending": self.num_pending,
                "matched": self.num_matched,
                "refused": self.num_refused,
            }
        )

    async def _match(self, request: Request) -> Response:
        if self.num_pending >= self.limits.max_pending:
            self.num_refused += 1
            raise HTTPException(503, "too many requests at once: try again", {"Retry-After": "1"})
        self.num_pending += 1
        folder = Path(tempfile.mkdtemp(prefix="gluestick-"))
        try:
            await self._save(request, folder)
            answer = await self._answer((folder / _FIELDS[0], folder / _FIELDS[1]))
            self.num_matched += 1
            return JSONResponse(answer)
        except ClientDisconnect:
            self.num_refused += 1
            return Response(status_code=400)
        except HTTPException:
            self.num_refused += 1
            raise
        finally:
            self.num_pending -= 1
            shutil.rmtree(folder, ignore_errors=True)

    async def _save(self, request: Request, folder: Path) -> None:
        """Read the two images of a form into files.

        Raises:
            HTTPException: If the form is too large, comes too slowly, or lacks an image.
        """
        kind = request.headers.get("content-type", "")
        if not kind.startswith("multipart/form-data"):
            raise HTTPException(415, "send multipart/form-data with the files image0 and image1")
        limited = Request(request.scope, self._limited(request.receive))
        try:
            form = await asyncio.wait_for(
                limited.form(max_files=2, max_fields=0), self.limits.read_seconds
            )
        except asyncio.TimeoutError as error:
            seconds = self.limits.read_seconds
            raise HTTPException(408, f"the upload took longer than {seconds:g} s") from error
        try:
            for name in _FIELDS:
                upload = form.get(name)
                if not isinstance(upload, UploadFile):
                    raise HTTPException(400, f"the form needs a file {name}")
                with (folder / name).open("wb") as file:
                    shutil.copyfileobj(upload.file, file)
        finally:
            await form.close()

    def _limited(self, receive: Receive) -> Receive:
        """Return what receives a request, and refuses it as soon as it is too large."""
        most, received = self.limits.max_bytes + _OVERHEAD, 0

        async def receive_limited() -> MutableMapping[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise HTTPException(413, f"the images need at most {self.limits.max_bytes} bytes")
            return message

        return receive_limited

    async def _answer(self, pair: PairFiles) -> dict[str, Any]:
        try:
            future: Future[Answer] = self._batcher.submit(pair)
        except BusyError as error:
            raise HTTPException(503, str(error), {"Retry-After": "1"}) from error
        seconds = self.limits.match_seconds
        try:
            answer = await asyncio.wait_for(asyncio.wrap_future(future), seconds)
        except asyncio.TimeoutError as error:
            raise HTTPException(504, f"matching took longer than {seconds:g} s") from error
        except Exception as error:
            raise HTTPException(500, f"matching failed: {type(error).__name__}") from error
        if isinstance(answer, ValueError):
            raise HTTPException(422, str(answer))
        return answer


async def _as_json(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
