"""The page is served until someone ends it."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from gluestick.web.limits import Limits
from gluestick.web.matching import MatchingService
from gluestick.web.sessions import Sessions
from gluestick.web.temporary import private_folder

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Addresses that only this computer reaches."""

_SWEEP_SECONDS = 60.0


def serve(
    *,
    host: str,
    port: int,
    device: torch.device,
    threads: int,
    reconstruction: Path | None = None,
    limits: Limits | None = None,
    on_start: Callable[[str], None] = print,
) -> None:
    """Serve the page until the process is interrupted; then all uploads and results are deleted.

    Args:
        host: The address to listen at.
        port: The port; 0 for one that is free.
        device: Where models run.
        threads: How many threads compute, for the record.
        reconstruction: The output folder of ``gluestick reconstruct`` whose report is shown.
        limits: How much may be asked for.
        on_start: Told the page's address once it can be asked for.

    Raises:
        ImportError: If gradio is missing.
        ValueError: If ``reconstruction`` is no folder.
        OSError: If the address cannot be listened at.
    """
    try:
        from gluestick.web.app import PageServer, create_app
    except ImportError as error:
        if (error.name or "").startswith("gluestick"):
            raise
        raise ImportError("the page needs gradio: pip install 'gluestick-matching[web]'") from error
    if reconstruction is not None and not reconstruction.is_dir():
        raise ValueError(f"--reconstruction {reconstruction} is not a folder")
    limits = limits or Limits()
    with (
        _listening(host, port) as listener,
        private_folder() as root,
    ):
        sessions = Sessions(root, keep_seconds=limits.keep_seconds)
        service = MatchingService(device=device, threads=threads, limits=limits)
        app = create_app(
            service,
            sessions,
            limits,
            reconstruction=reconstruction,
            hosts=["127.0.0.1", "localhost"] if host in LOOPBACK[:2] else None,
        )
        with _swept(sessions), _termination_as_interrupt():
            on_start(_address(host, listener.getsockname()[1]))
            PageServer(app).run(sockets=[listener])


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise OSError(
            f"--host {host} --port {port} cannot be listened at ({error}): choose others"
        ) from error
    with listener:
        yield listener


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the process as Ctrl-C does, so that files are deleted first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


@contextmanager
def _swept(sessions: Sessions) -> Iterator[None]:
    """Delete what is old every minute."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(_SWEEP_SECONDS):
            sessions.end_old()

    thread = threading.Thread(target=sweep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _address(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "") else "[::1]" if host == "::" else host
    return (
        f"http://[{shown}]:{port}"
        if ":" in shown and "[" not in shown
        else f"http://{shown}:{port}"
    )
