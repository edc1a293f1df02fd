"""Writing a model as three ONNX graphs and a manifest."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import gluestick
from gluestick.export.onnx.traceable import TraceableGraph, traceable_graphs
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import model_card
from gluestick.storage.atomic import atomic_path

OPSET = 18
MANIFEST = "manifest.json"


def export_onnx(matcher: PointLineMatcher, output: Path, *, model: str) -> Path:
    """Write the detector, the matcher and the line head of a model as ONNX graphs.

    Args:
        matcher: The model: ALIKED, LightGlueStick with one-way attention and without line
            layers, and the line head ``same_line``.
        output: The folder.
        model: The name of the model, for the manifest.

    Returns:
        The manifest, ``manifest.json``, which names the graphs, their inputs and their outputs.

    Raises:
        ValueError: If the model has parts that cannot be exported.
        ImportError: If onnx or onnxscript is missing.
    """
    _require_onnx()
    graphs = {}
    for name, export in traceable_graphs(matcher).items():
        graphs[name] = _write(export, output / f"{name}.onnx")
    features = matcher.extractor.config if matcher.extractor is not None else None
    manifest = {
        "model": model,
        "licence": model_card(model).licence,
        "origin": model_card(model).origin,
        "opset": OPSET,
        "versions": {
            "gluestick": gluestick.__version__,
            "torch": torch.__version__,
            "onnx": version("onnx"),
            "onnxscript": version("onnxscript"),
        },
        "max_num_keypoints": features.points.max_num_keypoints if features else None,
        "max_num_lines": features.lines.max_num_lines if features else None,
        "graphs": graphs,
    }
    path = output / MANIFEST
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return path


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"export onnx needs {error.name}: pip install 'gluestick-matching[onnx]'"
        ) from error


def _write(export: TraceableGraph, path: Path) -> dict[str, Any]:
    """Write a graph, and return what the manifest says about it."""
    shapes = iter(export.inputs.values())
    dynamic = tuple(_dynamic_sizes(argument, shapes) for argument in export.arguments)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            export.graph.eval(),
            export.arguments,
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=dynamic,
            input_names=[*export.inputs],
            output_names=[*export.outputs],
            verbose=False,
        )
    assert program is not None
    with atomic_path(path) as partial:
        program.save(partial)
    return {"file": path.name, "inputs": dict(export.inputs), "outputs": [*export.outputs]}


def _dynamic_sizes(argument: Any, shapes: Iterator[str]) -> Any:
    """Return which sizes of a tensor, or of a tuple of tensors, are dynamic."""
    if isinstance(argument, Tensor):
        sizes = enumerate(next(shapes).split())
        return {dim: torch.export.Dim.DYNAMIC for dim, size in sizes if not size.isdigit()}
    return type(argument)(*(_dynamic_sizes(value, shapes) for value in argument))


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the exporter says about optional packages that are not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
