"""Match two photographs with exported graphs: neither torch nor gluestick is needed.

Usage: ``gluestick export onnx --output FOLDER``, ``onnx_match.py FOLDER IMAGE0 IMAGE1 PICTURE``.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

FOLDER = Path(sys.argv[1])
ABOUT = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
NUM_LINES, SIDE = ABOUT["max_num_lines"], ABOUT["resize"]["size"]
onnxruntime.set_default_logger_severity(3)  # errors alone


def run(name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a graph on those of the inputs that it knows; return its outputs by name."""
    graph = onnxruntime.InferenceSession(FOLDER / ABOUT["graphs"][name]["file"])
    found = graph.run(None, {node.name: inputs[node.name] for node in graph.get_inputs()})
    return {node.name: value for node, value in zip(graph.get_outputs(), found, strict=True)}


values, images = {"max_num_keypoints": np.array(ABOUT["max_num_keypoints"])}, []
for side, path in enumerate(sys.argv[2:4]):
    if not Path(path).is_file() or (image := cv2.imread(path)) is None:
        sys.exit(f"{path} is missing, or no image that OpenCV reads")
    factor = min(SIDE / max(image.shape), 1)  # smaller if it is larger than the model wants it
    image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    if min(image.shape[:2]) < 32:
        sys.exit(f"{path} needs sides of 32 px once resized, found {image.shape[1::-1]}")
    images.append(image)
    found = cv2.createLineSegmentDetector().detect(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[0]
    found = np.zeros((0, 2, 2), np.float32) if found is None else found.reshape(-1, 2, 2) + 0.125
    longest = np.argsort(-np.linalg.norm(found[:, 1] - found[:, 0], axis=1))[:NUM_LINES]
    lines = np.pad(found[longest], ((0, NUM_LINES - len(longest)), (0, 0), (0, 0)))[None]
    pixels = image[None, ..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    own = {"lines": lines, "line_mask": np.arange(NUM_LINES)[None] < len(longest)}
    own |= run("detector", values | own | {"images": pixels})
    if (number := own["keypoint_mask"].sum() + own["junction_mask"].sum()) < 16:
        sys.exit(f"{path} needs at least 16 keypoints and ends of lines, found {number}")
    own["image_size"] = np.array([image.shape[1::-1]], np.float32)
    values |= {f"{name}{side}": value for name, value in own.items()}
values |= run("matcher", values)
both = values["line_mask0"].any() and values["line_mask1"].any()
values |= run("line_head", values) if both else {"line_matches": [[]]}
rows, shift = max(map(len, images)), [images[0].shape[1], 0]
canvas = np.hstack([np.pad(v, ((0, rows - len(v)), (0, 0), (0, 0))) for v in images])
for kind, name, *bgr in ("matches", "keypoints", 0, 200, 0), ("line_matches", "lines", 0, 120, 255):
    pairs = [(i, j) for i, j in enumerate(values[kind][0]) if j > -1]
    print(f"{len(pairs)} {kind}")
    for i, j in pairs:
        place0, place1 = values[f"{name}0"][0, i], values[f"{name}1"][0, j] + shift
        for start, end in [(place0, place1)] if kind == "matches" else (place0, place1):
            cv2.line(canvas, np.intp(start).tolist(), np.intp(end).tolist(), bgr, 1)
sys.exit(None if cv2.imwrite(sys.argv[4], canvas) else f"{sys.argv[4]} cannot be written")
