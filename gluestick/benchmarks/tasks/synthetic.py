"""Pairs made from photographs by random homographies and photometric changes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from gluestick.benchmarks.tasks.outcomes import match_rates, mean_of
from gluestick.benchmarks.tasks.planar import line_figures, planar_line_scores, planar_point_scores
from gluestick.benchmarks.tasks.protocol import Figures, Pair, Prediction, Scores
from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.homographies import HomographyConfig, sample_views, view_change
from gluestick.datasets.photographs import list_photographs, load_photograph
from gluestick.datasets.photometric import (
    PhotometricChange,
    illumination_difference,
    sample_photometric_change,
)

_ROTATIONS = tuple(range(0, 181, 15))  # degrees
_SCALES = (1.0, 1.1, 1.25, 1.5, np.inf)
_TILTS = (0, 30, 45, 60, 90)  # degrees
_ILLUMINATIONS = (0.0, 0.05, 0.15, 0.3, np.inf)


@dataclass(frozen=True, kw_only=True)
class SyntheticConfig(HomographyConfig):
    """Which pairs are made, with the options of :class:`HomographyConfig`.

    Attributes:
        width: The width of the images, px. Photographs are cut centrally to the images' aspect
            ratio and resized.
        height: Their height, px.
        pairs_per_photograph: How many pairs are made of each photograph.
        num_photographs: How many photographs are taken, drawn by the seed; None for all.
        holdout: Whether only the fixed 5% of photographs are taken that are never trained on;
            see :func:`gluestick.datasets.holdout.is_held_out`.
        photometric_probability: How likely it is in [0, 1] that a view's light, colour or
            sharpness changes.
        seed: Decides everything that is random. A pair depends on the seed, the photograph's
            path and the pair's number alone.
    """

    width: int = 640
    height: int = 480
    pairs_per_photograph: int = 2
    num_photographs: int | None = None
    holdout: bool = False
    photometric_probability: float = 0.75
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "height", "pairs_per_photograph"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs to be at least 1, found {getattr(self, name)}")
        if self.num_photographs is not None and self.num_photographs < 1:
            raise ValueError(
                f"num_photographs needs to be at least 1 or None, found {self.num_photographs}"
            )
        if self.seed < 0:
            raise ValueError(f"seed needs to be at least 0, found {self.seed}")


@dataclass(frozen=True, kw_only=True)
class _View:
    """A view of a photograph: a homography [3, 3] from it, and what happens to its pixels."""

    H: np.ndarray
    change: PhotometricChange


class SyntheticBenchmark:
    """Precision, recall and average precision of points and lines by homographies.

    Points match if they are mutual nearest neighbours below 3 px and are unmatched beyond 5 px,
    lines by the rule of GlueStick; see :class:`gluestick.supervision.GroundTruthConfig`.
    """

    name = "synthetic"
    scoring_fields = ()
    match_kinds = ("points", "lines")
    worst_by = "missed"
    error_curves = ()
    headline = (
        *(f"lines/{rate}" for rate in ("ap", "precision", "recall", "overlap_precision")),
        *(f"points/{rate}@3px" for rate in ("ap", "precision", "recall")),
        "points/num_matches",
        "lines/num_matches",
    )

    def __init__(self, data_dir: Path, config: SyntheticConfig | None = None) -> None:
        self.data_dir = data_dir
        self.config = config or SyntheticConfig()

    def pairs(self) -> Sequence[Pair]:
        """Draw the pairs; no image is read.

        Raises:
            ValueError: If there is no folder, or no photograph in it that can be taken.
        """
        config = self.config
        names = list_photographs(self.data_dir)
        if config.holdout:
            names = [name for name in names if is_held_out(name)]
            if not names:
                raise ValueError(
                    f"none of the photographs in {self.data_dir} is held out: use holdout=false"
                )
        if config.num_photographs is not None and config.num_photographs < len(names):
            rng = np.random.default_rng(config.seed)
            chosen = rng.choice(len(names), size=config.num_photographs, replace=False)
            names = [names[index] for index in sorted(chosen)]
        numbers = range(config.pairs_per_photograph)
        return [self._pair(name, number) for name in names for number in numbers]

    def _pair(self, photograph: str, number: int) -> Pair:
        config, size = self.config, (self.config.width, self.config.height)
        digest = hashlib.sha256(photograph.encode()).digest()
        rng = np.random.default_rng([config.seed, number, int.from_bytes(digest[:8], "big")])
        H0, H1 = sample_views(rng, image_size=size, config=config)
        changes = [
            sample_photometric_change(rng, probability=config.photometric_probability)
            for _ in range(2)
        ]
        change = view_change(H1 @ np.linalg.inv(H0), image_size=size)
        groups = {
            "rotation": _interval(change.rotation, _ROTATIONS),
            "scale": _interval(change.scale, _SCALES),
            "viewpoint": _interval(change.tilt, _TILTS),
            "illumination": _interval(illumination_difference(*changes), _ILLUMINATIONS),
        }
        views = tuple(_View(H=H, change=own) for H, own in zip((H0, H1), changes, strict=True))
        return Pair(name=f"{photograph}#{number}", groups=groups, truth=views)

    def load(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Read the photograph and make both views of it."""
        path = self.data_dir / pair.name.rpartition("#")[0]
        size = (self.config.width, self.config.height)
        photograph = load_photograph(path, image_size=size)
        image0, image1 = (
            view.change.apply(cv2.warpPerspective(photograph, view.H, size)) for view in pair.truth
        )
        return _to_tensor(image0), _to_tensor(image1)

    def score(self, pair: Pair, prediction: Prediction) -> Scores:
        """Compare the matches with the truth."""
        H_0to1 = pair.truth[1].H @ np.linalg.inv(pair.truth[0].H)
        scores = planar_point_scores(prediction, H_0to1) | planar_line_scores(prediction, H_0to1)
        found = [match_rates(kind, [scores]).recall for kind in self.match_kinds]
        return scores | {"missed": 1 - float(np.nan_to_num(found).mean())}

    def summarize(self, scores: Sequence[Scores]) -> Figures:
        """Return the rates over all matches of all pairs."""
        rates = match_rates("points", scores)
        figures = {
            "points/precision@3px": rates.precision,
            "points/recall@3px": rates.recall,
            "points/ap@3px": rates.average_precision,
            "points/num_matches": mean_of("points/num_matches", scores),
        }
        return figures | line_figures(scores)


def _interval(value: float, limits: Sequence[float]) -> str:
    """Return the interval that holds a value, such as ``15-30``, or ``1.5 and more``."""
    index = int(np.searchsorted(limits[1:-1], value, side="right"))
    low, high = limits[index], limits[index + 1]
    return f"{low:g} and more" if np.isinf(high) else f"{low:g}-{high:g}"


def _to_tensor(image: np.ndarray) -> Tensor:
    """[H, W, 3] uint8 to [3, H, W] float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255
