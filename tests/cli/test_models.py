from collections.abc import Callable

from typer.testing import Result

from gluestick.peers import PEERS
from gluestick.pretrained import MODELS


def test_lists_every_model_with_its_licence(invoke: Callable[..., Result]) -> None:
    result = invoke("models")
    assert result.exit_code == 0
    words = " ".join(result.output.split())
    for name in (*MODELS, *PEERS):
        assert name in words
    for licence in ("BSD-3-Clause", "Apache-2.0", "MIT", "non-commercial"):
        assert licence in words
