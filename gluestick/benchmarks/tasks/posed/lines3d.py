"""Matches of points and lines in scenes with depth, under parallax and occlusion.

The data folder is one scene with ``images/``, ``depths/`` and a list of pairs (see
:func:`gluestick.datasets.posed.depth_views.list_depth_pairs`), or a scene or a folder of scenes of
ETH3D (see :mod:`gluestick.datasets.posed.formats.eth3d`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from gluestick.benchmarks.tasks.outcomes import match_rates, mean_of, outcome_scores
from gluestick.benchmarks.tasks.planar.planar_scores import line_figures
from gluestick.benchmarks.tasks.posed.depth_pairs import batch_of_one, load_depth_pair
from gluestick.benchmarks.tasks.predicted_matches import in_stored_pixels, matched_points
from gluestick.benchmarks.tasks.protocol import Figures, Pair, Prediction, Scores
from gluestick.datasets.posed.depth_views import DepthViewPair, list_depth_pairs
from gluestick.datasets.posed.formats.eth3d import is_eth3d, list_eth3d_pairs
from gluestick.supervision import DepthPair, GroundTruthConfig
from gluestick.supervision.geometry_metrics import symmetric_reprojection_error
from gluestick.supervision.line_overlap import line_overlaps_by_depth
from gluestick.supervision.line_truth import line_truth_from_depth
from gluestick.supervision.point_truth import point_truth_from_depth

_MIN_NEGATIVE_DISTANCE = 5.0  # px


@dataclass(frozen=True, kw_only=True)
class Lines3dConfig:
    """What counts as the same, and which pairs of ETH3D are taken.

    Attributes:
        point_distance: px, points that, carried into the other image, lie nearer than this to
            each other are the same. Points have no partner if they land farther than this, and
            than 5 px, from all others.
        line_distance: px, how near to a line the carried samples of its partner have to be.
        depth_error: Points and samples of lines are hidden if they lie behind the other
            image's depth by more than this share of it; None does not check, as GlueStick's
            evaluation on ETH3D.
        min_covisibility: How many points in space pairs of ETH3D share.
    """

    point_distance: float = 5.0
    line_distance: float = 5.0
    depth_error: float | None = 0.08
    min_covisibility: int = 500

    def __post_init__(self) -> None:
        self.ground_truth()

    def ground_truth(self) -> GroundTruthConfig:
        """Return the rule for true matches."""
        return GroundTruthConfig(
            positive_distance=self.point_distance,
            negative_distance=max(self.point_distance, _MIN_NEGATIVE_DISTANCE),
            line_distance=self.line_distance,
            depth_error=self.depth_error,
        )


class Lines3dBenchmark:
    """Precision, recall and average precision of points and lines by depth and poses.

    Features of unknown depth are left out. Lines match by the rule of GlueStick; see
    :class:`gluestick.supervision.GroundTruthConfig`.
    """

    name = "lines3d"
    scoring_fields = ("point_distance", "line_distance", "depth_error")
    match_kinds = ("points", "lines")
    worst_by = "missed"
    error_curves = ()

    def __init__(self, data_dir: Path, config: Lines3dConfig | None = None) -> None:
        self.data_dir = data_dir
        self.config = config or Lines3dConfig()

    @property
    def headline(self) -> Sequence[str]:
        """The figures that tables show."""
        at = f"@{self.config.point_distance:g}px"
        return (
            *(f"lines/{rate}" for rate in ("ap", "precision", "recall", "overlap_precision")),
            *(f"points/{rate}{at}" for rate in ("ap", "precision", "recall")),
            "points/num_matches",
            "lines/num_matches",
        )

    def pairs(self) -> Sequence[Pair]:
        """Return the pairs of the list, or those of ETH3D that see enough of the same.

        Raises:
            ValueError: If the folder has neither layout, or a file is missing or damaged.
        """
        if not self.data_dir.is_dir():
            raise ValueError(f"there is no folder {self.data_dir}")
        if is_eth3d(self.data_dir):
            found = list_eth3d_pairs(self.data_dir, min_covisibility=self.config.min_covisibility)
        else:
            found = list_depth_pairs(self.data_dir)
        several = len({pair.scene for pair in found}) > 1
        return [
            Pair(name=pair.name, groups={"scene": pair.scene} if several else {}, truth=pair)
            for pair in found
        ]

    def load(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Return both images, turned upright."""
        views: DepthViewPair = pair.truth
        return views.view0.load_image(), views.view1.load_image()

    def score(self, pair: Pair, prediction: Prediction) -> Scores:
        """Compare the matches with the truth."""
        views: DepthViewPair = pair.truth
        stored = in_stored_pixels(prediction, turns=(views.view0.turn(), views.view1.turn()))
        depth_pair = load_depth_pair(views, stored)
        scores = self._point_scores(stored, depth_pair) | self._line_scores(stored, depth_pair)
        found = [match_rates(kind, [scores]).recall for kind in self.match_kinds]
        return scores | {"missed": 1 - float(np.nan_to_num(found).mean())}

    def _point_scores(self, prediction: Prediction, pair: DepthPair) -> Scores:
        rule = self.config.ground_truth()
        truth = point_truth_from_depth(
            batch_of_one(prediction["keypoints0"]),
            batch_of_one(prediction["keypoints1"]),
            pair,
            config=rule,
        )
        scores = outcome_scores(
            "points",
            candidate_matches0=prediction["candidate_matches0"],
            matching_scores0=prediction["matching_scores0"],
            matches0=prediction["matches0"],
            gt_matches0=truth.matches0[0].numpy(),
        )
        points0, points1 = (batch_of_one(points) for points in matched_points(prediction))
        errors = symmetric_reprojection_error(points0, points1, pair, config=rule)[0]
        return scores | {
            "points/num_matches": float(len(errors)),
            "points/right": (errors < self.config.point_distance).numpy(),
        }

    def _line_scores(self, prediction: Prediction, pair: DepthPair) -> Scores:
        rule = self.config.ground_truth()
        lines = batch_of_one(prediction["lines0"]), batch_of_one(prediction["lines1"])
        truth = line_truth_from_depth(*lines, pair, config=rule)
        matches0 = prediction["line_matches0"]
        scores = outcome_scores(
            "lines",
            candidate_matches0=prediction["candidate_line_matches0"],
            matching_scores0=prediction["line_matching_scores0"],
            matches0=matches0,
            gt_matches0=truth.matches0[0].numpy(),
        )
        overlaps = line_overlaps_by_depth(*lines, batch_of_one(matches0), pair, config=rule)
        overlapping = overlaps.overlapping[0].numpy()
        return scores | {
            "lines/num_matches": float((matches0 > -1).sum()),
            "lines/num_judged": float(overlaps.judged.sum()),
            "lines/num_overlapping": float(overlapping.sum()),
            "lines/right": overlapping[matches0 > -1],
        }

    def summarize(self, scores: Sequence[Scores]) -> Figures:
        """Return the rates over all matches of all pairs."""
        rates = match_rates("points", scores)
        at = f"@{self.config.point_distance:g}px"
        figures = {
            f"points/precision{at}": rates.precision,
            f"points/recall{at}": rates.recall,
            f"points/ap{at}": rates.average_precision,
            "points/num_matches": mean_of("points/num_matches", scores),
        }
        return figures | line_figures(scores)
