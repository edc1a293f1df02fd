"""Points and lines of photographs under random homographies and photometric changes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from gluestick.benchmarks.tasks.outcomes import match_rates, mean_of
from gluestick.benchmarks.tasks.planar.corner_errors import (
    CORNER_ERROR_CURVES,
    auc_names,
    homography_figures,
    homography_scores,
)
from gluestick.benchmarks.tasks.planar.planar_scores import (
    line_figures,
    planar_line_scores,
    planar_point_scores,
)
from gluestick.benchmarks.tasks.protocol import Figures, Pair, Prediction, Scores
from gluestick.datasets.homographies import view_change
from gluestick.datasets.photometric import illumination_difference
from gluestick.datasets.synthetic_pairs import (
    SyntheticPair,
    SyntheticPairsConfig,
    draw_synthetic_pairs,
)

_MAX_ERROR = 3.0  # px, the inlier threshold of homographies
_ROTATIONS = tuple(range(0, 181, 15))  # degrees
_SCALES = (1.0, 1.1, 1.25, 1.5, np.inf)
_TILTS = (0, 30, 45, 60, 90)  # degrees
_ILLUMINATIONS = (0.0, 0.05, 0.15, 0.3, np.inf)


class SyntheticBenchmark:
    """Precision, recall and average precision of points and lines, and homographies from them.

    Points match if they are mutual nearest neighbours below 3 px and are unmatched beyond 5 px,
    lines by the rule of GlueStick; see :class:`gluestick.supervision.GroundTruthConfig`.
    """

    name = "synthetic"
    scoring_fields = ()
    match_kinds = ("points", "lines")
    worst_by = "missed"
    error_curves = CORNER_ERROR_CURVES
    headline = (
        *(f"lines/{rate}" for rate in ("ap", "precision", "recall", "overlap_precision")),
        *(f"points/{rate}@3px" for rate in ("ap", "precision", "recall")),
        "points/num_matches",
        "lines/num_matches",
        *auc_names("points_lines"),
        *auc_names("points"),
        *auc_names("lines"),
    )

    def __init__(self, data_dir: Path, config: SyntheticPairsConfig | None = None) -> None:
        self.data_dir = data_dir
        self.config = config or SyntheticPairsConfig()

    def pairs(self) -> Sequence[Pair]:
        """Draw the pairs; no image is read.

        Raises:
            ValueError: If there is no folder, or no photograph in it that can be taken.
        """
        return [
            Pair(name=pair.name, groups=_groups(pair), truth=pair)
            for pair in draw_synthetic_pairs(self.data_dir, self.config)
        ]

    def load(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Read the photograph and make both views of it."""
        made: SyntheticPair = pair.truth
        return made.load()

    def score(self, pair: Pair, prediction: Prediction) -> Scores:
        """Compare the matches with the truth."""
        H_0to1 = pair.truth.H_0to1
        scores = planar_point_scores(prediction, H_0to1) | planar_line_scores(prediction, H_0to1)
        scores |= homography_scores(prediction, H_0to1, max_error=_MAX_ERROR)
        found = [match_rates(kind, [scores]).recall for kind in self.match_kinds]
        return scores | {"missed": 1 - float(np.nan_to_num(found).mean())}

    def summarize(self, scores: Sequence[Scores]) -> Figures:
        """Return the rates over all matches of all pairs, and how good homographies are."""
        rates = match_rates("points", scores)
        figures = {
            "points/precision@3px": rates.precision,
            "points/recall@3px": rates.recall,
            "points/ap@3px": rates.average_precision,
            "points/num_matches": mean_of("points/num_matches", scores),
        }
        return figures | line_figures(scores) | homography_figures(scores)


def _groups(pair: SyntheticPair) -> dict[str, str]:
    """Tell how strong the changes between both views are."""
    illumination = illumination_difference(*(view.change for view in pair.views))
    for kind, value in (("zoom", pair.zoom), ("tilt", pair.tilt)):
        if value is not None:
            return {kind: f"{value:g}", "illumination": _interval(illumination, _ILLUMINATIONS)}
    change = view_change(pair.H_0to1, image_size=pair.image_size)
    return {
        "rotation": _interval(change.rotation, _ROTATIONS),
        "scale": _interval(change.scale, _SCALES),
        "viewpoint": _interval(change.tilt, _TILTS),
        "illumination": _interval(illumination, _ILLUMINATIONS),
    }


def _interval(value: float, limits: Sequence[float]) -> str:
    """Return the interval that holds a value, such as ``15-30``, or ``1.5 and more``."""
    index = int(np.searchsorted(limits[1:-1], value, side="right"))
    low, high = limits[index], limits[index + 1]
    return f"{low:g} and more" if np.isinf(high) else f"{low:g}-{high:g}"
