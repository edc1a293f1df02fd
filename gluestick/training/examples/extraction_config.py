"""The options by which pairs are made and turned into examples."""

from dataclasses import dataclass
from typing import Literal

from gluestick.training.examples.pairs import DataConfig

LEAST_LENGTH = 10.0
"""px, of the lines that a cache of features keeps."""


@dataclass(frozen=True, kw_only=True)
class ExtractionConfig:
    """How pairs are made and turned into examples.

    Attributes:
        batch_size: How many pairs make a batch.
        num_workers: How many processes make pairs; 0 makes them in the main one.
        num_pairs: How many pairs fill the cache.
        first_pair: From which one on.
        num_held_out: How many held-out pairs there are to validate on.
        thinning: How likely it is in [0, 1] that only a random share of the point matches of a
            pair guides the lines.
        mirroring: The share in [0, 1] of batches whose images 1 are also seen in a mirror.
        keep_negatives: The share of the easy negative examples that is kept.
        part: Which share of the batches this process makes, so that several can fill a cache.
        parts: How many processes do.
        features: Where batches come from: ``on_the_fly``, each new and seen once; or ``cached``,
            pairs whose features are kept on disk, each seen at many budgets.
        max_num_keypoints: How many keypoints of an image are kept on disk.
        max_num_lines: How many lines, of 10 px and more.
        kind: Which of the pairs on disk are trained on.
    """

    batch_size: int = 8
    num_workers: int = 0
    num_pairs: int = 2000
    first_pair: int = 0
    num_held_out: int = 64
    thinning: float = 0.2
    mirroring: float = 0.1
    keep_negatives: float = 0.5
    part: int = 0
    parts: int = 1
    features: Literal["on_the_fly", "cached"] = "on_the_fly"
    max_num_keypoints: int = 2048
    max_num_lines: int = 1000
    kind: Literal["all", "homographies", "worlds", "posed"] = "all"

    def __post_init__(self) -> None:
        for name in ("thinning", "mirroring"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} needs to be in [0, 1], found {getattr(self, name)}")
        if not 0 < self.keep_negatives <= 1:
            raise ValueError(f"keep_negatives needs to be in (0, 1], found {self.keep_negatives}")
        if not 0 <= self.part < self.parts:
            raise ValueError(
                f"part needs to be at least 0 and below parts, found {self.part} of {self.parts}"
            )
        for name in (
            "batch_size",
            "num_pairs",
            "num_held_out",
            "max_num_keypoints",
            "max_num_lines",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs to be at least 1, found {getattr(self, name)}")


def check_budgets(data: DataConfig, config: ExtractionConfig) -> None:
    """Check that the budgets of pairs are no larger than what a cache of features keeps.

    Raises:
        ValueError: If one is.
    """
    for name, found, limit in (
        ("num_keypoints", max(data.num_keypoints), config.max_num_keypoints),
        ("num_lines", max(data.num_lines), config.max_num_lines),
        ("least_lengths", -min(data.least_lengths), -LEAST_LENGTH),
    ):
        if found > limit:
            raise ValueError(
                f"data.{name} asks for {abs(found):g}, and the cache of features keeps "
                f"{abs(limit):g}: change either"
            )
