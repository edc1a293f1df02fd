import builtins
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import pytest
import typer
from typer.testing import CliRunner

from gluestick.cli import main
from gluestick.cli.errors import TRACEBACK_VARIABLE, one_line_errors

GLUESTICK = str(Path(sys.executable).with_name("gluestick"))


def fail_with(error: BaseException) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @one_line_errors
    def command() -> None:
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ValueError("two\nlines"), 2, "gluestick: two lines"),
        (OSError("disk"), 2, "gluestick: disk"),
        (ImportError("extra"), 2, "gluestick: extra"),
        (KeyboardInterrupt(), 130, "gluestick: interrupted"),
        (MemoryError(), 1, "gluestick: not enough memory"),
        (RuntimeError("CUDA out of memory."), 1, "gluestick: not enough memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            1,
            "gluestick: not enough memory",
        ),
        (
            cv2.error("(-4:Insufficient memory) Failed to allocate 30531970756 bytes"),
            1,
            "gluestick: not enough memory",
        ),
        (KeyError("x"), 1, "gluestick: unexpected KeyError: 'x' (this is a fault of the program"),
        (BrokenPipeError(), 0, ""),
        (typer.Exit(3), 3, ""),
    ],
)
def test_every_error_is_one_line(error: BaseException, status: int, words: str) -> None:
    result = CliRunner().invoke(fail_with(error))
    assert result.exit_code == status
    assert result.stderr.startswith(words)
    assert result.stderr.count("\n") == (1 if words else 0)


def test_a_traceback_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRACEBACK_VARIABLE, "1")
    result = CliRunner().invoke(fail_with(KeyError("x")))
    assert isinstance(result.exception, KeyError)


def test_a_closed_pipe_is_quiet() -> None:
    for words in (["settings"], ["models"], ["--help"]):
        with subprocess.Popen(
            [GLUESTICK, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""
            process.stderr.close()
            process.wait()


def wait_until_it_works(process: int) -> None:
    """Wait until a command has begun to import torch, where the system tells."""
    maps = Path(f"/proc/{process}/maps")
    if not maps.exists():
        time.sleep(2.5)
        return
    while "libtorch" not in maps.read_text():
        time.sleep(0.02)
    time.sleep(0.5)


def test_an_interrupt_while_commands_are_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = builtins.__import__

    def interrupted(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "gluestick.cli.program":
            raise KeyboardInterrupt
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "gluestick: interrupted\n"


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_an_interrupt_leaves_nothing(assets: Path, tmp_path: Path) -> None:
    images = [str(assets / f"leuven_{letter}.jpg") for letter in "ab"]
    command = [GLUESTICK, "match", *images, "--output", str(tmp_path / "output")]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        wait_until_it_works(process.pid)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.decode().strip().splitlines()[-1] == "gluestick: interrupted"
    assert b"Traceback" not in errors
    assert output == b""
    written = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert not [name for name in written if name.startswith(".")]
