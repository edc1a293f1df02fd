import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from export.onnx.pairs import as_nodes
from matching.wireframes import make_wireframe, randomize
from torch import Tensor

from gluestick.export.onnx.matcher import NodeMatches
from gluestick.export.onnx.traceable import matcher_graph, traceable_graphs
from gluestick.export.onnx.write import export_onnx, write_graph
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.pipeline import PointLineMatcher

MODULES = ("onnx", "onnxruntime")
MISSING = [name for name in MODULES if importlib.util.find_spec(name) is None]
needs_onnx = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed")
DEMO = Path(__file__).parents[3] / "demos" / "onnx_match.py"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(PointLineMatcher.from_pretrained("xfeat-lsd"), folder, model="xfeat-lsd")
    return folder


def run(path: Path, inputs: dict[str, Tensor]) -> dict[str, np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    known = {node.name: inputs[node.name].numpy() for node in session.get_inputs()}
    names = [node.name for node in session.get_outputs()]
    return dict(zip(names, session.run(None, known), strict=True))


@needs_onnx
@pytest.mark.parametrize("junctions", ["attend", "left_out"])
def test_a_matcher_with_other_sizes_than_the_example(tmp_path: Path, junctions: str) -> None:
    config = LightGlueStickConfig(
        input_dim=32,
        descriptor_dim=32,
        num_layers=1,
        num_heads=2,
        line_layers=(),
        junctions=junctions,
        filter_threshold=0.0,
    )
    network = randomize(LightGlueStick(config)).eval()
    export = matcher_graph(network, descriptor_dim=32)
    entry = write_graph(export, tmp_path / "matcher.onnx")
    assert entry["inputs"]["descriptors1"] == "B K1 32"
    wireframes = make_wireframe(30, 12, 6), make_wireframe(17, 8, 4)
    nodes = as_nodes(wireframes[0], padding=3), as_nodes(wireframes[1])
    with torch.no_grad():
        expected: NodeMatches = export.graph(*nodes)
        known = network.assign_nodes(*wireframes)
        partners = network(*wireframes).matches0[:, 12:]
    assert (partners > -1).any()
    assert torch.equal(expected.matches, torch.where(partners < 0, -1, partners - 8))
    torch.testing.assert_close(expected.similarity[:, :12], known.endpoint_similarity)
    inputs = {
        f"{name}{side}": value
        for side, own in enumerate(nodes)
        for name, value in own._asdict().items()
    }
    found = run(tmp_path / "matcher.onnx", inputs)
    for name, value in expected._asdict().items():
        np.testing.assert_allclose(found[name], value.numpy(), atol=1e-4)


def test_models_with_other_parts_are_refused() -> None:
    wireframe = PointLineMatcher.from_pretrained("aliked-lsd-wireframe")
    with pytest.raises(ValueError, match="needs a model with no line layers"):
        traceable_graphs(wireframe)
    guided = PointLineMatcher.from_pretrained("aliked-lsd-guided")
    with pytest.raises(ValueError, match="line head same_line"):
        traceable_graphs(guided)


@pytest.mark.skipif(not MISSING, reason="onnx is installed")
def test_a_missing_package_names_the_extra(small_matcher: PointLineMatcher, tmp_path: Path) -> None:
    with pytest.raises(ImportError, match=r"gluestick-matching\[onnx\]"):
        export_onnx(small_matcher, tmp_path, model="aliked-lsd")
    assert not any(tmp_path.iterdir())


@needs_onnx
def test_exported_graphs_match_as_the_model_does(
    exported: Path, leuven: tuple[Tensor, Tensor]
) -> None:
    """Real photographs, a batch of both directions, and 1e-3 for scores and probabilities."""
    folder = exported
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["opset"] == 18
    assert manifest["graphs"]["line_head"]["inputs"]["lines0"] == "B L 2 2"
    assert "XFeat" in manifest["licence"]
    assert manifest["resize"]["size"] == 1024
    matcher = PointLineMatcher.from_pretrained("xfeat-lsd", max_num_keypoints=256, view="none")
    leuven = leuven[0][:, :351, :478].contiguous(), leuven[1][:, :351, :478].contiguous()
    wireframes = [matcher.extract(image) for image in leuven]
    expected = matcher.match(*wireframes)
    most = max(wireframe.line_mask.shape[1] for wireframe in wireframes)
    lines, mask = torch.zeros(2, most, 2, 2), torch.zeros(2, most, dtype=torch.bool)
    for side, wireframe in enumerate(wireframes):
        number = wireframe.line_mask.shape[1]
        lines[side, :number], mask[side, :number] = wireframe.detected_lines[0], True
    own = {"lines": lines, "line_mask": mask, "images": torch.stack(leuven)}
    own["max_num_keypoints"] = torch.tensor(256)
    own |= _tensors(run(folder / "detector.onnx", own))
    own["image_size"] = torch.tensor(leuven[0].shape[:0:-1]).float().expand(2, 2)
    values = {f"{name}0": value for name, value in own.items()}
    values |= {f"{name}1": value.flip(0) for name, value in own.items() if value.ndim}
    values |= _tensors(run(folder / "matcher.onnx", values))
    values |= _tensors(run(folder / "line_head.onnx", values))
    counts = expected.line_matches0.shape[1]
    assert torch.equal(values["line_matches"][0, :counts], expected.line_matches0[0])
    torch.testing.assert_close(
        values["line_scores"][0, :counts], expected.line_matching_scores0[0], atol=1e-3, rtol=0
    )
    points = _matched(values["keypoints0"][0], values["keypoints1"][0], values["matches"][0])
    own_points = torch.cat(expected.matched_keypoints(*wireframes), dim=1)
    own_points = own_points[own_points.norm(dim=1).argsort()]
    torch.testing.assert_close(points[points.norm(dim=1).argsort()], own_points, atol=1e-3, rtol=0)
    scores = expected.matching_scores0[0][expected.matches0[0] > -1]
    found = values["scores"][0][values["matches"][0] > -1]
    torch.testing.assert_close(found.sort().values, scores.sort().values, atol=1e-3, rtol=0)


@needs_onnx
def test_exported_aliked_detects_as_the_model_does(
    small_matcher: PointLineMatcher, leuven: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    write_graph(traceable_graphs(small_matcher)["detector"], tmp_path / "detector.onnx")
    image = leuven[0][:, :231, :310].contiguous()
    wireframe = small_matcher.extract(image)
    junctions = int(wireframe.num_junctions[0])
    given = {"images": image[None], "max_num_keypoints": torch.tensor(128)}
    given |= {"lines": wireframe.detected_lines, "line_mask": wireframe.line_mask}
    found = _tensors(run(tmp_path / "detector.onnx", given))
    own = wireframe.keypoints[:, junctions:]
    torch.testing.assert_close(found["keypoints"], own, atol=1e-3, rtol=0)
    described = wireframe.descriptors[:, junctions:]
    torch.testing.assert_close(found["descriptors"], described, atol=1e-3, rtol=0)


@needs_onnx
def test_the_demo_needs_neither_torch_nor_this_package(
    exported: Path, assets: Path, tmp_path: Path
) -> None:
    images = assets / "leuven_a.jpg", assets / "leuven_b.jpg"
    done = run_demo(exported, *images, tmp_path / "matched.png")
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    points, lines = (int(line.split()[0]) for line in printed.splitlines())
    assert points > 150
    assert lines > 50
    assert cv2.imread(str(tmp_path / "matched.png")) is not None


@needs_onnx
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.png", "is missing, or no image that OpenCV reads"),
        ("text.png", "is missing, or no image that OpenCV reads"),
        ("narrow.png", "needs sides of 32 px once resized, found (300, 31)"),
        ("blank.png", "needs at least 16 keypoints and ends of lines, found 0"),
    ],
)
@pytest.mark.parametrize("second", [False, True])
def test_the_demo_says_in_a_line_what_cannot_be_matched(
    exported: Path, assets: Path, tmp_path: Path, name: str, words: str, second: bool
) -> None:
    (tmp_path / "text.png").write_text("not an image")
    cv2.imwrite(str(tmp_path / "narrow.png"), np.full((31, 300, 3), 9, np.uint8))
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((120, 160, 3), 128, np.uint8))
    images = [tmp_path / name, assets / "leuven_a.jpg"]
    done = run_demo(exported, *(images[::-1] if second else images), tmp_path / "matched.png")
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path / name} {words}\n"
    assert not (tmp_path / "matched.png").exists()


@needs_onnx
def test_the_demo_matches_what_has_no_lines(exported: Path, assets: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(128, 25, (200, 260, 3)).clip(0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    for images in (("noise.png", "noise.png"), ("noise.png", assets / "leuven_a.jpg")):
        paths = [tmp_path / image for image in images]
        done = run_demo(exported, *paths, tmp_path / "matched.png")
        assert done.returncode == 0, done.stderr
        points, lines = done.stdout.splitlines()
        assert points.endswith(" matches")
        assert lines == "0 line_matches"
    done = run_demo(exported, *paths, tmp_path / "none" / "matched.png")
    assert done.returncode == 1
    assert done.stderr.endswith("matched.png cannot be written\n")


def run_demo(*arguments: Path) -> "subprocess.CompletedProcess[str]":
    """Run the demo where neither torch nor this package can be imported."""
    blocked = "import sys; sys.modules['torch'] = sys.modules['gluestick'] = None; import runpy; "
    blocked += f"runpy.run_path({str(DEMO)!r})"
    command = [sys.executable, "-c", blocked, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _tensors(values: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in values.items()}


def _matched(places0: Tensor, places1: Tensor, matches: Tensor) -> Tensor:
    kept = matches > -1
    return torch.cat([places0[kept], places1[matches[kept]]], dim=1)
