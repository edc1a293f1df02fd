import numpy as np
import pytest
import torch

from gluestick.checks import ShapeError, check_shapes


def test_binds_words_across_arrays() -> None:
    arrays = {"a": torch.zeros(2, 5, 2), "b": np.zeros((2, 6))}
    assert check_shapes("X", arrays, {"a": "B N 2", "b": "B N+1"}) == {"B": 2, "N": 5}


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ({"a": "B N"}, r"X\.a needs the shape \[B N\], found \[2, 5, 2\]"),
        ({"a": "B N 3"}, "3 = 3"),
        ({"a": "B N 2", "b": "N B"}, "N = 5"),
        ({"a": "B N 2", "b": "B B+1"}, r"B\+1 = 3"),
    ],
)
def test_names_the_array_and_what_was_needed(specs: dict[str, str], message: str) -> None:
    arrays = {"a": torch.zeros(2, 5, 2), "b": torch.zeros(2, 6)}
    with pytest.raises(ShapeError, match=message):
        check_shapes("X", arrays, specs)


def test_empty_arrays_have_sizes_too() -> None:
    assert check_shapes("X", {"a": torch.zeros(0, 2)}, {"a": "N 2"}) == {"N": 0}
