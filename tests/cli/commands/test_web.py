import inspect
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from gluestick.cli.commands.web import web


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the server would be told; it does not start."""
    calls: list[dict[str, Any]] = []

    def serve(**options: Any) -> None:
        calls.append(options)
        options["on_start"]("http://page")

    monkeypatch.setattr("gluestick.web.server.serve", serve)
    return calls


def test_only_this_computer_reaches_the_page_by_default(
    invoke: Callable[..., Result], served: list[dict[str, Any]]
) -> None:
    result = invoke("web")
    assert result.exit_code == 0, result.output
    assert (served[0]["host"], served[0]["port"]) == ("127.0.0.1", 7860)
    assert result.stdout == "Open http://page in a browser; Ctrl-C ends.\n"
    assert not result.stderr
    assert inspect.signature(web).parameters["host"].default == "127.0.0.1"


def test_other_computers_are_let_in_with_a_warning(
    invoke: Callable[..., Result], served: list[dict[str, Any]]
) -> None:
    result = invoke("web", "--host", "0.0.0.0", "--port", "80")
    assert (served[0]["host"], served[0]["port"]) == ("0.0.0.0", 80)
    assert "everyone who reaches 0.0.0.0 can use this page" in result.stderr


def test_a_missing_package_names_the_extra(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*sys.modules]:
        if name == "gluestick.web.app" or name == "gluestick.web.page":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert refused("web").endswith("needs gradio: pip install 'gluestick-matching[web]'")


def test_bad_options_are_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="the extra web is not installed")
    missing = tmp_path / "missing"
    assert refused("web", "--reconstruction", missing).endswith(f"{missing} is not a folder")
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        line = refused("web", "--port", str(port))
    assert f"--host 127.0.0.1 --port {port} cannot be listened at" in line
    assert "cannot be listened at" in refused("web", "--host", "192.0.2.1")
    assert "cannot be listened at" in refused("web", "--port", "99999")
