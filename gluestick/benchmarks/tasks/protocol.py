"""What a benchmark has to offer, so that prediction, scoring and reporting are the same for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor

Prediction = Mapping[str, np.ndarray]
"""One pair as stored: the arrays of :func:`gluestick.export.arrays.pair_arrays` that scoring
needs, where junctions that a network reports apart are left out of ``keypoints0``, ``matches0``
and the like, without descriptors; ``candidate_matches0`` [P0] and ``candidate_line_matches0``
[L0] int64, the partners before any threshold, whose scores are ``matching_scores0`` and
``line_matching_scores0``; and ``seconds_STAGE`` [] for each stage of the pipeline."""

Scores = dict[str, float | np.ndarray]
"""What is measured on one pair: numbers, and arrays for curves over all pairs. Names are paths
such as ``points/corner_error``. ``seconds_STAGE`` are seconds spent while scoring, such as
``seconds_estimation``. ``points/right`` [S] and ``lines/right`` [T], if given, tell which of the
reported matches are right, in the order of image 0; pictures show it."""

Figures = dict[str, float]
"""The figures of a set of pairs, by paths such as ``points/auc@5px``, which nest in a summary.
Rates are in [0, 1]; NaN where nothing can be said."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two images with known geometry.

    Attributes:
        name: Unique in the benchmark; may contain ``/``.
        groups: Labels by which results are also reported, such as the scene or the strength of
            the rotation.
        truth: The geometry, in the benchmark's own form.
        apart: Whether the pair counts in the figures of its groups only, not in the overall
            ones.
        unit: Pairs of the same unit are scored one after the other, and the scores of one depend
            on those before it; empty where a pair stands alone.
    """

    name: str
    groups: Mapping[str, str] = field(default_factory=dict)
    truth: Any = None
    apart: bool = False
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class ErrorCurve:
    """An error per pair whose distribution is drawn.

    Attributes:
        name: Its name in :data:`Scores`; inf or NaN where an estimate failed.
        title: What it is.
        unit: Its unit.
        limit: Where the axis ends.
    """

    name: str
    title: str
    unit: str
    limit: float


class Benchmark(Protocol):
    """A set of pairs and how predictions for them are scored.

    A class is built from ``data_dir`` and ``config`` alone and reads nothing before
    :meth:`pairs`, so that stored scores can be summarized without the data.
    """

    @property
    def name(self) -> str:
        """The name on the command line."""

    @property
    def data_dir(self) -> Path:
        """The folder of the data."""

    @property
    def config(self) -> Any:
        """A frozen dataclass of numbers, texts, booleans and None."""

    @property
    def scoring_fields(self) -> Sequence[str]:
        """The fields of ``config`` that concern scoring only, not the images."""

    @property
    def headline(self) -> Sequence[str]:
        """The names of the figures that tables and comparisons show, the most important first."""

    @property
    def error_curves(self) -> Sequence[ErrorCurve]:
        """The errors whose distribution is drawn."""

    @property
    def match_kinds(self) -> Sequence[str]:
        """The kinds, ``points`` or ``lines``, whose outcomes are stored with each pair.

        See :mod:`gluestick.benchmarks.tasks.outcomes`.
        """

    @property
    def worst_by(self) -> str:
        """The name of the score by which the worst pairs are found: higher or NaN is worse."""

    def pairs(self) -> Sequence[Pair]:
        """Return the pairs in a fixed order.

        Raises:
            ValueError: If the data folder does not have the expected layout.
        """

    def load(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Return both images of a pair, [3, H, W] float32 in [0, 1].

        Raises:
            ValueError: If an image cannot be read.
        """

    def score(self, pair: Pair, prediction: Prediction) -> Scores:
        """Measure one stored prediction; runs no network."""

    def summarize(self, scores: Sequence[Scores]) -> Figures:
        """Combine the scores of pairs into figures, also of no pair at all."""
