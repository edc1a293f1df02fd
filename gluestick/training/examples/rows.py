"""Pairs of lines as the same-line head sees them, kept on disk to be trained on many times."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from gluestick.matching.line_heads.candidate_pairs import CANDIDATE_RULE, LinePairs
from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.matching.line_heads.guidance import PointMatches, point_matches
from gluestick.matching.line_heads.same_line_features import (
    NUM_SAME_LINE_FEATURES,
    same_line_features,
)
from gluestick.storage.atomic import atomic_path
from gluestick.supervision.losses.same_line import PairTruth
from gluestick.training.examples.batches import Batch
from gluestick.types import Wireframe

_HARD = 1.5
"""The (scaled) distance of carried lines below which an example is always kept."""

_DISTANCE_CHANNEL = 17


class LineRows(NamedTuple):
    """Examples for the same-line head.

    Attributes:
        features: [K, 57] float16.
        same: [K] bool, the truth.
        overlap: [K] float16 in [0, 1], the true overlap.
        partner: [K] bool, whether both are each other's best partner.
        weight: [K] float16, how many examples each stands for.
        image: [K] int32, the pair of images within the batch.
        line0: [K] int16, the line of its image 0.
        line1: [K] int16, the line of its image 1.
    """

    features: Tensor
    same: Tensor
    overlap: Tensor
    partner: Tensor
    weight: Tensor
    image: Tensor
    line0: Tensor
    line1: Tensor

    def truth(self) -> PairTruth:
        """Return the truth about these examples."""
        return PairTruth(*self[1:])


@torch.no_grad()
def describe_rows(
    batch: Batch,
    nodes: NodeAssignment,
    *,
    matches: PointMatches | None = None,
    keep_negatives: float = 0.5,
) -> LineRows:
    """Return the examples of a batch.

    Args:
        batch: The batch.
        nodes: What a network knows about its nodes.
        matches: The matches that guide the lines, or None for those of ``nodes``.
        keep_negatives: The share of the easy negative examples that is kept; each stands for
            those that are left out as well.

    Returns:
        The examples on the device of the batch.
    """
    if matches is None:
        matches = point_matches(batch.wireframe0, batch.wireframe1, nodes.log_assignment)
    pairs, features = same_line_features(
        batch.wireframe0, batch.wireframe1, nodes.endpoint_similarity, matches
    )
    truth = pair_truth(batch, pairs)
    weight, kept = truth.weight, truth.weight > 0
    if keep_negatives < 1:
        easy = ~truth.same & (features[:, _DISTANCE_CHANNEL] > _HARD)
        weight = torch.where(easy, weight / keep_negatives, weight)
        kept &= ~easy | (torch.rand(easy.shape, device=easy.device) < keep_negatives)
    return LineRows(
        features=features[kept].half(),
        same=truth.same[kept],
        overlap=truth.overlap[kept].half(),
        partner=truth.partner[kept],
        weight=weight[kept].half(),
        image=pairs.image[kept].int(),
        line0=pairs.line0[kept].short(),
        line1=pairs.line1[kept].short(),
    )


def pair_truth(batch: Batch, pairs: LinePairs) -> PairTruth:
    """Return the truth about some pairs of lines of a batch."""
    same, overlap, known = (pairs.take(value) for value in batch.lines)
    return PairTruth(
        same=same,
        overlap=overlap,
        partner=pairs.take(batch.partners),
        weight=known.float(),
        image=pairs.image,
        line0=pairs.line0,
        line1=pairs.line1,
    )


def thinned(matches: PointMatches, *, probability: float) -> PointMatches:
    """Leave a random share of the matches of some pairs, down to none."""
    weights = matches.weights
    rolls = torch.rand(len(weights), 2, device=weights.device)
    share = torch.where(rolls[:, :1] < probability, rolls[:, 1:], 1.0)
    kept = torch.rand(weights.shape, device=weights.device) <= share
    return matches._replace(weights=weights * kept)


def mirrored(batch: Batch, matches: PointMatches) -> tuple[Batch, PointMatches]:
    """Return the same with images 1 seen in a mirror, in which no line is the same."""
    wireframe1, matches = mirrored_image(batch.wireframe1, matches)
    return replace(without_same_lines(batch), wireframe1=wireframe1), matches


def without_same_lines(batch: Batch) -> Batch:
    """Return the batch as if no line were the same."""
    none = torch.zeros_like(batch.lines.same)
    return replace(batch, lines=batch.lines._replace(same=none), partners=none)


def mirrored_image(wireframe1: Wireframe, matches: PointMatches) -> tuple[Wireframe, PointMatches]:
    """Return what is in images 1, and the matches, with these images seen in a mirror."""
    width = wireframe1.image_size[:, 0].to(matches.positions1.dtype)
    unit = wireframe1.image_size.amax(1).to(width) / 640

    def flip(positions: Tensor, size: Tensor) -> Tensor:
        shape = (-1,) + (1,) * (positions.ndim - 2)
        return torch.stack([size.view(shape) - positions[..., 0], positions[..., 1]], dim=-1)

    colors = wireframe1.side_colors
    flipped = replace(
        wireframe1,
        keypoints=flip(wireframe1.keypoints, width - 1),
        lines=flip(wireframe1.lines, width - 1),
        detected_lines=flip(wireframe1.detected_lines, width - 1),
        side_colors=None if colors is None else colors.flip(2),
    )
    positions = flip(matches.positions1, (width - 1) / unit)
    return flipped, matches._replace(positions1=positions)


class RowStore:
    """Examples on disk, one file per batch.

    A batch is in the store or it is not, whenever the process that writes it is killed.

    Args:
        folder: Where the files are.
        origin: What the examples depend on, as JSON values.

    Raises:
        ValueError: If the folder holds examples of another origin.
    """

    def __init__(self, folder: Path, origin: Mapping[str, Any]) -> None:
        self.folder = folder
        made = {"features": NUM_SAME_LINE_FEATURES, "candidates": CANDIDATE_RULE}
        text = json.dumps({**origin, **made}, indent=2, sort_keys=True)
        note = folder / "origin.json"
        if note.exists():
            if note.read_text(encoding="utf-8") != text:
                raise ValueError(
                    f"the cache {folder} was made with other options or another version: name "
                    "another folder, or remove it"
                )
        else:
            with atomic_path(note) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def __contains__(self, number: int) -> bool:
        return self._path(number).exists()

    def add(self, number: int, rows: LineRows) -> None:
        """Keep the examples of a batch."""
        values = {name: value.cpu().contiguous() for name, value in rows._asdict().items()}
        with atomic_path(self._path(number)) as temporary:
            save_file(values, temporary)

    def load(self, *, device: torch.device | str = "cpu") -> LineRows:
        """Return all examples; pairs are numbered anew.

        Raises:
            ValueError: If there is none, or a file is damaged.
        """
        paths = sorted(self.folder.glob("rows-*.safetensors"))
        if not paths:
            raise ValueError(f"the cache {self.folder} is empty: extract examples first")
        parts, first = [], 0
        for path in paths:
            try:
                part = LineRows(**load_file(path))
            except (SafetensorError, OSError) as error:
                raise ValueError(f"{path} is damaged, remove it: {error}") from error
            number = int(part.image.max()) + 1 if len(part.image) else 0
            parts.append(part._replace(image=part.image + first))
            first += number
        return join_rows(parts, device=device)

    def _path(self, number: int) -> Path:
        return self.folder / f"rows-{number:08d}.safetensors"


def join_rows(parts: Sequence[LineRows], *, device: torch.device | str) -> LineRows:
    """Return the examples of all parts in one."""
    return LineRows(*(torch.cat(values).to(device) for values in zip(*parts, strict=True)))


def sort_rows(rows: LineRows) -> LineRows:
    """Return the examples one pair of images after the other."""
    order = rows.image.argsort(stable=True)
    return LineRows(*(value[order] for value in rows))
