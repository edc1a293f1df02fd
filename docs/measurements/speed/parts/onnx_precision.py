"""What smaller numbers cost the exported matcher: matches kept, size and processor seconds.

Usage: ``python docs/measurements/speed/parts/onnx_precision.py FOLDER [ASSETS]``, where FOLDER is
what ``gluestick export onnx`` wrote. It writes ``matcher_int8.onnx`` and ``matcher_half.onnx``
there. Needs onnxruntime and onnx; one thread.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16

from gluestick.pipeline import PointLineMatcher

REPEATS = 3
onnxruntime.set_default_logger_severity(3)
Values = dict[str, np.ndarray]


def main() -> None:
    """Print a row for each precision and pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("assets", type=Path, nargs="?", default=Path("assets"))
    arguments = parser.parse_args()
    files = write_small(arguments.folder)
    pairs = dict(node_pairs(arguments.assets))
    print("| matcher | MB | pair | points | kept | lines | kept | s |")
    print("|---|---|---|---|---|---|---|---|")
    head = session(arguments.folder / "line_head.onnx")
    exact: dict[str, tuple[set, set]] = {}
    for precision, file in files.items():
        matcher = session(file)
        for name, values in pairs.items():
            found, seconds = timed(matcher, values)
            lines = run(head, values | found)
            matches = matched(found["matches"]), matched(lines["line_matches"])
            kept = [
                len(own & all_) / len(all_)
                for own, all_ in zip(matches, exact.setdefault(name, matches), strict=True)
            ]
            size = file.stat().st_size / 1e6
            print(
                f"| {precision} | {size:.1f} | {name} | {len(matches[0])} | {kept[0]:.1%} | "
                f"{len(matches[1])} | {kept[1]:.1%} | {seconds:.2f} |"
            )


def write_small(folder: Path) -> dict[str, Path]:
    """Write the matcher with weights of 8 bits, and in half precision."""
    single = folder / "matcher.onnx"
    int8, half = folder / "matcher_int8.onnx", folder / "matcher_half.onnx"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(int8)  # with the order of weights already changed
    onnxruntime.InferenceSession(single, options, providers=["CPUExecutionProvider"])
    quantize_dynamic(int8, int8, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
    onnx.save(convert_float_to_float16(onnx.load(single), keep_io_types=True), half)
    return {"single": single, "int8": int8, "half": half}


def session(path: Path) -> onnxruntime.InferenceSession:
    """Open a graph for one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(graph: onnxruntime.InferenceSession, values: Values) -> Values:
    """Run a graph on those of the values that it takes."""
    found = graph.run(None, {node.name: values[node.name] for node in graph.get_inputs()})
    return {node.name: value for node, value in zip(graph.get_outputs(), found, strict=True)}


def timed(graph: onnxruntime.InferenceSession, values: Values) -> tuple[Values, float]:
    """Run a graph several times; return its results and the least processor seconds."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        found = run(graph, values)
        seconds.append(time.process_time() - start)
    return found, min(seconds)


def matched(partners: np.ndarray) -> set[tuple[int, int]]:
    """Return the matched pairs of one pair of images."""
    return {(int(i), int(j)) for i, j in enumerate(partners[0]) if j > -1}


def node_pairs(assets: Path) -> Iterator[tuple[str, Values]]:
    """Yield what matcher and line head take of the pairs in a folder."""
    matcher = PointLineMatcher.from_pretrained()
    for name in ("leuven", "graffiti"):
        values = {}
        for side, letter in enumerate("ab"):
            wireframe = matcher.extract(assets / f"{name}_{letter}.jpg")
            junctions = int(wireframe.num_junctions[0])
            arrays = {
                "image_size": wireframe.image_size.float(),
                "keypoints": wireframe.keypoints[:, junctions:],
                "descriptors": wireframe.descriptors[:, junctions:],
                "keypoint_mask": wireframe.keypoint_mask[:, junctions:],
                "junctions": wireframe.keypoints[:, :junctions],
                "junction_descriptors": wireframe.descriptors[:, :junctions],
                "junction_mask": wireframe.keypoint_mask[:, :junctions],
                "lines": wireframe.detected_lines,
                "line_mask": wireframe.line_mask,
                "line_junctions": wireframe.line_junctions,
                "side_colors": wireframe.side_colors,
            }
            values |= {f"{key}{side}": value.numpy() for key, value in arrays.items()}
        yield name, values


if __name__ == "__main__":
    main()
