"""Exported matchers with smaller numbers."""

from pathlib import Path
from typing import Literal

from gluestick.storage.atomic import atomic_path

Precision = Literal["float32", "float16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "int8")

BEARS_INT8 = frozenset({"aliked-lsd", "aliked-n16rot-lsd"})
"""The models whose average precision stays; see docs/onnx.md."""


def check_precision(precision: str, *, model: str) -> Precision:
    """Return a precision in which a model can be exported.

    Raises:
        ValueError: If there is no such precision, or it costs the model too much accuracy.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"the precision needs to be one of {', '.join(PRECISIONS)}, found {precision!r}"
        )
    if precision == "int8" and model not in BEARS_INT8:
        raise ValueError(
            f"{model} loses too many matches with int8, which {' and '.join(sorted(BEARS_INT8))} "
            "bear: choose float16 or float32"
        )
    return precision


def reduce_precision(matcher: Path, precision: Precision) -> None:
    """Rewrite an exported matcher, whose inputs and outputs stay as they are.

    ``float16`` stores and computes everything between them in half precision. ``int8`` stores the
    weights of the perceptrons in 8 bits for each output, and multiplies them with activations that
    are rounded to 8 bits as they come; attention and heads stay in single precision.

    Args:
        matcher: The file.
        precision: What to; ``float32`` changes nothing.

    Raises:
        ImportError: If onnxruntime is missing.
    """
    if precision == "float32":
        return
    try:
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"--precision {precision} needs onnxruntime: pip install 'gluestick-matching[onnx]'"
        ) from error
    with atomic_path(matcher) as partial:
        if precision == "float16":
            _write_half(matcher, partial)
        else:
            _write_int8(matcher, partial)


def _write_half(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)


def _write_int8(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.preprocess import quant_pre_process

    quant_pre_process(source, target, skip_symbolic_shape=True, skip_onnx_shape=True)
    model = onnx.load(target)
    apart = [node.name for node in model.graph.node if node.op_type == "MatMul"]
    quantize_dynamic(
        model,
        target,
        op_types_to_quantize=["MatMul"],  # perceptrons are Gemm, which becomes MatMul here
        nodes_to_exclude=apart,
        per_channel=True,
        weight_type=QuantType.QInt8,
    )
