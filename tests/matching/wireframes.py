"""Random wireframes and networks for the tests of this folder."""

from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.types import Matches, Wireframe

IMAGE_SIZE = (640, 480)


def make_wireframe(
    num_keypoints: int,
    num_junctions: int,
    num_lines: int,
    *,
    descriptor_dim: int = 32,
    seed: int = 0,
) -> Wireframe:
    """Return the wireframe of one image at random, in which every junction ends a line."""
    generator = torch.Generator().manual_seed(seed)
    num_nodes = num_keypoints + num_junctions
    keypoints = torch.rand(1, num_nodes, 2, generator=generator) * torch.tensor(IMAGE_SIZE)
    descriptors = torch.randn(1, num_nodes, descriptor_dim, generator=generator)
    ends = torch.arange(2 * num_lines) % max(num_junctions, 1)
    order = torch.randperm(2 * num_lines, generator=generator)
    line_junctions = ends[order].view(1, num_lines, 2)
    lines = keypoints[0][line_junctions]
    return Wireframe(
        image_size=torch.tensor([IMAGE_SIZE]),
        keypoints=keypoints,
        keypoint_scores=torch.rand(1, num_nodes, generator=generator),
        descriptors=F.normalize(descriptors, dim=-1),
        keypoint_mask=torch.ones(1, num_nodes, dtype=torch.bool),
        num_junctions=torch.tensor([num_junctions]),
        lines=lines,
        detected_lines=lines,
        line_scores=torch.rand(1, num_lines, generator=generator),
        line_mask=torch.ones(1, num_lines, dtype=torch.bool),
        line_junctions=line_junctions,
        edge_index=_edges(line_junctions[0]),
    )


def _edges(line_junctions: Tensor) -> Tensor:
    both = torch.cat([line_junctions, line_junctions.flip(1)])
    return torch.unique(both[both[:, 0] != both[:, 1]], dim=0).view(-1, 2).t().contiguous()


def matching_pair(
    num_keypoints: int, num_junctions: int, num_lines: int, *, seed: int = 0, noise: float = 0.05
) -> tuple[Wireframe, Wireframe]:
    """Return a wireframe and a noisy copy whose keypoints and lines come in another order."""
    first = make_wireframe(num_keypoints, num_junctions, num_lines, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1000)
    other = torch.randn(first.descriptors.shape, generator=generator)
    nodes = torch.cat(
        [
            torch.arange(num_junctions),
            num_junctions + torch.randperm(num_keypoints, generator=generator),
        ]
    )
    lines = torch.randperm(num_lines, generator=generator)
    second = Wireframe(
        image_size=first.image_size,
        keypoints=0.98 * first.keypoints[:, nodes] + 3,
        keypoint_scores=first.keypoint_scores[:, nodes],
        descriptors=F.normalize(first.descriptors + noise * other, dim=-1)[:, nodes],
        keypoint_mask=first.keypoint_mask,
        num_junctions=first.num_junctions,
        lines=0.98 * first.lines[:, lines] + 3,
        detected_lines=0.98 * first.lines[:, lines] + 3,
        line_scores=first.line_scores[:, lines],
        line_mask=first.line_mask,
        line_junctions=first.line_junctions[:, lines],
        edge_index=first.edge_index,
    )
    return first, second


def randomize(network: nn.Module, *, scale: float = 0.3, seed: int = 0) -> nn.Module:
    """Give every parameter a random value that keeps nodes apart, and set eval mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "final_" in name and parameter.ndim >= 2:
                eye = torch.eye(len(parameter)).view_as(parameter)
                parameter.copy_(10 * eye + 0.2 * noise)
            elif parameter.ndim >= 2:
                gain = 4 if "input_proj" in name else scale
                parameter.copy_(gain * noise / parameter[0].numel() ** 0.5)
            elif "matchability" in name:
                parameter.fill_(3)
            elif parameter.ndim:
                parameter.copy_(0.1 * noise + name.endswith("weight"))
    return network.eval()


def crop(matches: Matches, pair: tuple[Wireframe, Wireframe], row: int) -> dict[str, Tensor]:
    """Return the results of one pair of a batch, without padding, like those of a single."""
    nodes = [wireframe.keypoint_mask.shape[1] for wireframe in pair]
    lines = [wireframe.line_mask.shape[1] for wireframe in pair]
    results = {}
    for name, value in vars(matches).items():
        if value is None:
            continue
        sizes = lines if "line" in name else nodes
        if name.endswith("log_assignment"):
            rows = [*range(sizes[0]), value.shape[1] - 1]
            columns = [*range(sizes[1]), value.shape[2] - 1]
            results[name] = value[row : row + 1, rows][:, :, columns]
        else:
            results[name] = value[row : row + 1, : sizes[int(name[-1])]]
    return results


def assert_same(actual: dict[str, Tensor], expected: Matches, *, tolerance: float = 1e-4) -> None:
    """Compare the results of one pair: equal matches and probabilities, close scores."""
    for name, value in actual.items():
        wanted = getattr(expected, name)
        assert value.shape == wanted.shape, name
        if value.dtype == torch.int64:
            assert torch.equal(value, wanted), name
        else:
            torch.testing.assert_close(
                value, wanted, atol=tolerance, rtol=1e-4, msg=lambda text, name=name: name + text
            )


def with_colors(wireframe: Wireframe, *, seed: int) -> Wireframe:
    """Return a wireframe with random colours beside its lines."""
    generator = torch.Generator().manual_seed(seed)
    shape = (*wireframe.line_mask.shape, 2, 9)
    return replace(wireframe, side_colors=torch.randn(shape, generator=generator))
