import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent.parent / "other_programs"
FOREIGN = ("hloc", "limap", "vismatch", "gluestick.bridges")


def forget(names: tuple[str, ...]) -> None:
    for name in list(sys.modules):
        if any(name == own or name.startswith(f"{own}.") for own in names):
            del sys.modules[name]


@pytest.fixture
def other_programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand-ins for hloc, LIMAP and vismatch can be imported, whatever is installed."""
    forget(FOREIGN)
    monkeypatch.syspath_prepend(str(PROGRAMS))
    yield PROGRAMS
    forget(FOREIGN)


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither hloc nor LIMAP nor vismatch can be imported."""
    forget(FOREIGN)
    for name in ("hloc", "limap", "vismatch"):
        monkeypatch.setitem(sys.modules, name, None)
    yield
    forget(FOREIGN)
