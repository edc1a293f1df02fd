"""Operators of torch that its exporter does not know, written with those of ONNX."""

from typing import Any

import torch
from torch.onnx.utils import register_custom_op_symbolic


def add_missing_operators(opset: int) -> None:
    """Tell torch's exporter how to write them.

    Args:
        opset: From which version of the operators on.
    """
    register_custom_op_symbolic("aten::mT", _transpose_matrices, opset)
    register_custom_op_symbolic("aten::logaddexp", _log_add_exp, opset)


def _transpose_matrices(graph: Any, values: Any) -> Any:
    order = [*range(values.type().dim())]
    return graph.op("Transpose", values, perm_i=[*order[:-2], order[-1], order[-2]])


def _log_add_exp(graph: Any, first: Any, second: Any) -> Any:
    largest = graph.op("Max", first, second)
    apart = graph.op("Neg", graph.op("Abs", graph.op("Sub", first, second)))
    one = graph.op("Constant", value_t=torch.ones(()))
    rest = graph.op("Log", graph.op("Add", graph.op("Exp", apart), one))
    return graph.op("Add", largest, rest)
