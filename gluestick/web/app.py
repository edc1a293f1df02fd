"""The web application: the page, the pages that it frames, and what guards both."""

import os
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from gluestick.web.gate import Gate
from gluestick.web.limits import Limits
from gluestick.web.matching import MatchingService
from gluestick.web.page import REPORT_ADDRESS, VIEWER_ADDRESS, build_page, styles, theme
from gluestick.web.sessions import Sessions

REPORT = "report.html"
"""The name of the report in the output folder of ``gluestick reconstruct``."""

_FRAMED = {
    "Content-Security-Policy": (
        "sandbox allow-scripts allow-downloads; default-src 'none'; img-src data: blob:; "
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'; font-src data:; "
        "connect-src data: blob:; worker-src blob:"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of pages in frames: they can reach nothing outside themselves."""

_GRACE_SECONDS = 3

_NO_REPORT = (
    "<!doctype html><meta charset='utf-8'><title>No report</title>"
    "<body style='font-family: system-ui, sans-serif; margin: 2em; background: #fff'>"
    f"<p>The folder given to <code>--reconstruction</code> holds no {REPORT}. "
    "<code>gluestick reconstruct</code> writes it when it ends; reload this page then.</p></body>"
)


class PageServer(uvicorn.Server):
    """A server that first ends what open pages wait for, so that it need not wait for them.

    Args:
        app: What :func:`create_app` made.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="error",
                timeout_graceful_shutdown=_GRACE_SECONDS,
                server_header=False,
            )
        )
        self._release: Callable[[], None] = app.state.release

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end on a signal."""
        self._release()
        super().handle_exit(sig, frame)


def create_app(
    service: MatchingService,
    sessions: Sessions,
    limits: Limits,
    *,
    reconstruction: Path | None,
    hosts: list[str] | None,
) -> FastAPI:
    """Return the application.

    Gradio keeps its files below a folder that an environment variable names; it is set here.

    Args:
        service: What matches.
        sessions: Where uploads and results go.
        limits: How much may be asked for.
        reconstruction: The output folder of ``gluestick reconstruct``, of which only the report
            is shown; or None.
        hosts: By which names the page may be asked for, against other pages that have their own
            name point to this computer; None for any.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(sessions.uploads)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    app = FastAPI(openapi_url=None)
    _add_framed_pages(app, sessions, reconstruction)
    page = build_page(service, sessions, limits, reconstruction=reconstruction is not None)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        max_file_size=limits.max_file_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        show_error=True,
        theme=theme(),
        css=styles(),
    )
    app.state.release = page.app.stop_event.set
    page.has_launched = True  # gradio compares paths with its own folder only from then on
    app.add_middleware(
        Gate,
        uploads=sessions.uploads,
        stored_bytes=sessions.stored_bytes,
        max_stored_bytes=limits.max_stored_bytes,
    )
    if hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    return app


def _add_framed_pages(app: FastAPI, sessions: Sessions, reconstruction: Path | None) -> None:
    @app.get(VIEWER_ADDRESS + "/{token}/{pair}")
    def viewer(token: str, pair: str) -> Response:
        path = sessions.result(token, f"{pair}/viewer.html")
        if path is None:
            return PlainTextResponse("These results are no longer here", status_code=404)
        return FileResponse(path, media_type="text/html", headers=_FRAMED)

    @app.get(REPORT_ADDRESS)
    def report() -> Response:
        if reconstruction is None or not (reconstruction / REPORT).is_file():
            return HTMLResponse(_NO_REPORT, status_code=404, headers=_FRAMED)
        return FileResponse(reconstruction / REPORT, media_type="text/html", headers=_FRAMED)
