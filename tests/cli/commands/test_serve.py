from collections.abc import Callable

import pytest

pytest.importorskip("uvicorn", reason="the extra serve is not installed")
pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("multipart", reason="the extra serve is not installed")


@pytest.mark.parametrize("option", ["--max-batch", "--max-pending", "--max-megabytes"])
def test_limits_need_to_be_positive(refused: Callable[..., str], option: str) -> None:
    assert "needs to be positive, found 0" in refused("serve", option, "0")


def test_there_needs_to_be_such_a_model(refused: Callable[..., str]) -> None:
    assert "no model 'nothing'" in refused("serve", "--model", "nothing")
