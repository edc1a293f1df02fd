"""Writing a model as three ONNX graphs and a manifest."""

import inspect
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from gluestick.export.onnx.operators import add_missing_operators
from gluestick.export.onnx.precision import Precision, check_precision, reduce_precision
from gluestick.export.onnx.traceable import FlatGraph, TraceableGraph, flat_values, traceable_graphs
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import model_card
from gluestick.storage.atomic import atomic_path

OPSET = 18
MANIFEST = "manifest.json"
_BY_TRACING: dict[str, Any] = (
    {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
)
"""Older versions of torch have no other way."""

_PACKAGES = ("gluestick-matching", "torch", "onnx")


def export_onnx(
    matcher: PointLineMatcher, output: Path, *, model: str, precision: Precision = "float32"
) -> Path:
    """Write the detector, the matcher and the line head of a model as ONNX graphs.

    Args:
        matcher: The model: ALIKED or XFeat, LightGlueStick with one-way attention and without
            line layers, and the line head ``same_line``. Early exit and pruning are left out.
        output: The folder.
        model: The name of the model, for the manifest.
        precision: That of the matcher; the detector and the line head have single precision.

    Returns:
        The manifest, ``manifest.json``, which names the graphs, their inputs and their outputs.

    Raises:
        ValueError: If the model has parts that cannot be exported, or does not bear the precision.
        ImportError: If onnx is missing.
    """
    check_precision(precision, model=model)
    _require_onnx()
    graphs = {}
    for name, export in traceable_graphs(matcher).items():
        graphs[name] = write_graph(export, output / f"{name}.onnx")
    reduce_precision(output / graphs["matcher"]["file"], precision)
    assert matcher.extractor is not None  # or there were no graph of it
    features = matcher.extractor.config
    manifest = {
        "model": model,
        "licence": model_card(model).licence,
        "origin": model_card(model).origin,
        "opset": OPSET,
        "matcher_precision": precision,
        "versions": {name: version(name) for name in _PACKAGES},
        "resize": asdict(features.resize),
        "max_num_keypoints": features.points.max_num_keypoints,
        "max_num_lines": features.lines.max_num_lines,
        "graphs": graphs,
    }
    path = output / MANIFEST
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return path


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"export onnx needs {error.name}: pip install 'gluestick-matching[onnx]'"
        ) from error


def write_graph(export: TraceableGraph, path: Path) -> dict[str, Any]:
    """Write a graph as ONNX.

    Args:
        export: The graph and an example.
        path: The file.

    Returns:
        What the manifest says about it: its file, its inputs with their sizes, its outputs.
    """
    dynamic = {
        name: {dim: size for dim, size in enumerate(shape.split()) if not size.isdigit()}
        for name, shape in export.inputs.items()
    }
    add_missing_operators(OPSET)
    with atomic_path(path) as partial, _quiet(), torch.no_grad():
        torch.onnx.export(
            FlatGraph(export.graph, export.arguments).eval(),
            flat_values(export.arguments),
            str(partial),
            **_BY_TRACING,
            opset_version=OPSET,
            input_names=[*export.inputs],
            output_names=[*export.outputs],
            dynamic_axes={name: sizes for name, sizes in dynamic.items() if sizes},
        )
        _forget_traced_sizes(partial)
    return {"file": path.name, "inputs": dict(export.inputs), "outputs": [*export.outputs]}


def _forget_traced_sizes(path: Path) -> None:
    """Leave out what tracing noted of the sizes of results, which are those of the example."""
    import onnx

    model = onnx.load(path)
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    onnx.save(model, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out warnings about sizes that tracing freezes: the tests run graphs of other sizes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
