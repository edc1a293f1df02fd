import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from export.onnx.pairs import as_nodes
from export.onnx.test_write import run
from matching.wireframes import matching_pair, randomize

from gluestick.export.onnx.precision import Precision, check_precision, reduce_precision
from gluestick.export.onnx.traceable import matcher_graph
from gluestick.export.onnx.write import write_graph
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig

MISSING = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = LightGlueStickConfig(
        input_dim=32, descriptor_dim=128, num_layers=1, num_heads=2, line_layers=()
    )
    path = tmp_path_factory.mktemp("onnx") / "matcher.onnx"
    write_graph(matcher_graph(randomize(LightGlueStick(config)).eval(), descriptor_dim=32), path)
    return path


@pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed")
@pytest.mark.parametrize(
    ("precision", "share", "tolerance"), [("float16", 0.75, 0.02), ("int8", 0.85, 0.25)]
)
def test_matchers_with_smaller_numbers(
    single: Path, tmp_path: Path, precision: Precision, share: float, tolerance: float
) -> None:
    smaller = tmp_path / "matcher.onnx"
    shutil.copy(single, smaller)
    reduce_precision(smaller, precision)
    assert smaller.stat().st_size < share * single.stat().st_size
    first, second = matching_pair(30, 12, 6)
    nodes = as_nodes(first, padding=3), as_nodes(second)
    inputs = {
        f"{name}{side}": value
        for side, own in enumerate(nodes)
        for name, value in own._asdict().items()
    }
    expected, found = run(single, inputs), run(smaller, inputs)
    for name in ("log_assignment", "similarity"):
        assert found[name].dtype == np.float32
        real = (slice(None), slice(12)) if name == "similarity" else slice(None)
        error = np.abs(found[name][real] - expected[name][real])
        assert 0 < error.max() < tolerance * np.abs(expected[name][real]).max()


def test_precisions_that_a_model_does_not_bear_are_refused() -> None:
    assert check_precision("int8", model="aliked-lsd") == "int8"
    assert check_precision("float16", model="xfeat-lsd") == "float16"
    with pytest.raises(ValueError, match="xfeat-lsd loses too many matches with int8"):
        check_precision("int8", model="xfeat-lsd")
    with pytest.raises(ValueError, match="one of float32, float16, int8, found 'int4'"):
        check_precision("int4", model="aliked-lsd")
