"""What the parity tests of the two networks share."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from parity.goldens import Case, keyed_state_dict, tolerance
from torch import Tensor, nn

from gluestick.types import GroundTruth, Matches, Wireframe
from gluestick.wireframe.junctions import line_edges

PUBLISHED_NAMES = {
    f"{kind}matching_scores{side}": f"{kind}match_scores{side}"
    for kind in ("", "line_")
    for side in (0, 1)
}
"""GlueStick's names of fields, where they differ from ours."""


def wireframe_of(case: Case, side: int, *, channels_last: bool) -> Wireframe:
    """Build a batch of wireframes from the arrays of a case."""
    arrays = {name[:-1]: value for name, value in case.inputs.items() if name[-1] == str(side)}
    keypoints = arrays["keypoints"]
    batch_size, num_nodes, _ = keypoints.shape
    line_junctions = arrays.get("lines_junc_idx", torch.zeros(batch_size, 0, 2, dtype=torch.int64))
    lines = arrays.get("lines", torch.zeros(batch_size, 0, 2, 2))
    line_scores = arrays.get("line_scores", torch.zeros(batch_size, 0))
    descriptors = arrays["descriptors"]
    edges = [
        torch.from_numpy(line_edges(image.numpy())) + index * num_nodes
        for index, image in enumerate(line_junctions)
    ]
    return Wireframe(
        image_size=arrays["image_size"].long(),
        keypoints=keypoints,
        keypoint_scores=arrays["keypoint_scores"],
        descriptors=descriptors if channels_last else descriptors.mT.contiguous(),
        keypoint_mask=torch.ones(batch_size, num_nodes, dtype=torch.bool),
        num_junctions=torch.tensor(
            [int(image.max()) + 1 if image.numel() else 0 for image in line_junctions]
        ),
        lines=lines,
        detected_lines=lines,
        line_scores=line_scores,
        line_mask=torch.ones_like(line_scores, dtype=torch.bool),
        line_junctions=line_junctions,
        edge_index=torch.cat(edges, dim=1),
    )


def published_weights(case: Case, *, keys_file: str | None = None) -> dict[str, Tensor]:
    """Return the keyed weights of a case under their published names."""
    path = case.folder.parent / (keys_file or case.meta["weights"]["keys_file"])
    entries = json.loads(path.read_text(encoding="utf-8"))
    return keyed_state_dict({key: entry["shape"] for key, entry in entries.items()}, case.meta)


def assert_matches(case: Case, matches: Matches, *, prefix: str = "") -> None:
    """Compare every output of the network that the case holds."""
    compared = set()
    for name, actual in vars(matches).items():
        published = prefix + name
        if published not in case.outputs:
            published = prefix + PUBLISHED_NAMES.get(name, name)
        if actual is None or published not in case.outputs:
            continue
        compared.add(name)
        if name.endswith("log_assignment") and 0 in case.outputs[published].shape:
            assert_nothing_to_match(actual)
        elif not _wrong_size(case, published):
            assert_output(case, published, actual)
    assert "log_assignment" in compared


def assert_nothing_to_match(log_assignment: Tensor) -> None:
    """Check that all is unmatched with certainty where one image is empty.

    The published networks return an empty array then.
    """
    assert 1 in log_assignment.shape[1:]
    assert (log_assignment == 0).all()


def _wrong_size(case: Case, name: str) -> bool:
    """Tell where the published code returns one line score per node: it finds no node."""
    return name == "line_match_scores1" and 0 in case.outputs["log_assignment"].shape


def assert_output(case: Case, name: str, actual: Tensor, expected: Tensor | None = None) -> None:
    """Compare one array: integers must be equal, floats agree to the case's tolerance."""
    expected = case.outputs[name] if expected is None else expected
    assert actual.shape == expected.shape, name
    if not expected.is_floating_point():
        assert torch.equal(actual, expected), name
    else:
        torch.testing.assert_close(
            actual,
            expected,
            atol=tolerance(case.meta, name),
            rtol=0,
            msg=lambda text: f"{name}: {text}",
        )


@contextmanager
def recorded(network: nn.Module, *names: str) -> Iterator[dict[str, list[tuple[tuple, object]]]]:
    """Collect (inputs, output) of each call of the named modules."""
    calls: dict[str, list[tuple[tuple, object]]] = defaultdict(list)
    modules = dict(network.named_modules())
    hooks = [
        modules[name].register_forward_hook(
            lambda _, inputs, output, name=name: calls[name].append((inputs, output))
        )
        for name in names
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def true_matches(case: Case) -> GroundTruth:
    """Return the labels of a case; without lines, those are empty."""
    empty = torch.zeros(len(case.inputs["gt_matches0"]), 0, dtype=torch.int64)
    names = [f"gt_{kind}matches{side}" for kind in ("", "line_") for side in (0, 1)]
    return GroundTruth(**{name: case.inputs.get(name, empty) for name in names})


def assert_gradients(
    case: Case, network: nn.Module, mode: str, names: dict[str, str] | None = None
) -> None:
    """Compare the norms of the gradients that the case holds, of parts and of all.

    Args:
        case: The case.
        network: The network, after a backward pass.
        mode: The prefix of its outputs.
        names: The names of parameters by published ones, where they differ.
    """
    prefix = f"{mode}_gradnorm_"
    published = [name.removeprefix(prefix) for name in case.outputs if name.startswith(prefix)]
    assert published
    for name in published:
        gradient = network.get_parameter((names or {}).get(name, name)).grad
        expected = case.outputs[prefix + name]
        if not expected.isnan():
            assert gradient is not None, name
            noise = tolerance(case.meta, prefix + name)
            torch.testing.assert_close(gradient.norm(), expected, rtol=1e-4, atol=noise)
    if f"{mode}_grad_total_norm" in case.outputs:
        gradients = [parameter.grad for parameter in network.parameters()]
        total = torch.stack([value.norm() for value in gradients if value is not None]).norm()
        expected = case.outputs[f"{mode}_grad_total_norm"]
        torch.testing.assert_close(total, expected, rtol=1e-4, atol=0)
