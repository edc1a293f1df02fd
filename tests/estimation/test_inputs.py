import numpy as np
import pytest
import torch

from gluestick.estimation.inputs import as_arrays, check_options, poselib_camera
from gluestick.types import Camera

GOOD = {"max_error": 1.0, "confidence": 0.99, "max_iterations": 10, "seed": 0}


def test_arrays_are_float64_from_anything():
    values = {
        "a": torch.ones(3, 2, requires_grad=True),
        "b": np.ones((3, 2), dtype=np.int32),
        "c": [[1, 2], [3, 4], [5, 6]],
    }
    arrays = as_arrays("f", values, {"a": "S 2", "b": "S 2", "c": "S 2"})
    assert [array.dtype for array in arrays] == [np.float64] * 3
    assert all(isinstance(array, np.ndarray) for array in arrays)


def test_half_precision_tensors():
    (array,) = as_arrays("f", {"a": torch.ones(3, 2, dtype=torch.bfloat16)}, {"a": "S 2"})
    assert array.dtype == np.float64


def test_empty_arrays_pass():
    (array,) = as_arrays("f", {"a": np.zeros((0, 2, 2))}, {"a": "M 2 2"})
    assert array.shape == (0, 2, 2)


def test_bad_rows_are_counted():
    values = np.zeros((5, 2, 2))
    values[1, 0, 0], values[3] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"f\.a needs finite .* 2 of 5 rows"):
        as_arrays("f", {"a": values}, {"a": "M 2 2"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_error", 0),
        ("max_error", -1.0),
        ("max_error", np.inf),
        ("max_error", np.nan),
        ("confidence", 0.0),
        ("confidence", 1.0),
        ("max_iterations", 0),
        ("seed", -1),
        ("seed", 0.5),
    ],
)
def test_options_out_of_range(name, value):
    check_options("f", **GOOD)
    with pytest.raises(ValueError, match=name):
        check_options("f", **(GOOD | {name: value}))


def test_camera():
    K = np.array([[600, 0, 320], [0, 580, 240], [0, 0, 1]], dtype=np.float32)
    assert poselib_camera("f", Camera(K=K)) == {
        "model": "PINHOLE",
        "params": [600, 580, 320, 240],
    }


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [(0, 0, 0), (1, 1, -5), (0, 1, 2), (1, 0, 1), (2, 2, 2), (2, 0, 1), (0, 2, np.nan)],
)
def test_bad_cameras(row, column, value):
    K = np.array([[600.0, 0, 320], [0, 580, 240], [0, 0, 1]])
    K[row, column] = value
    with pytest.raises(ValueError, match="K of the form"):
        poselib_camera("f", Camera(K=K))
