"""The values of pairs of images: matches, and the true ones."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gluestick.types.images import BaseValue, Wireframe, check_value
from gluestick.types.line_pairs import LIKELY, likely_pairs


@dataclass(frozen=True, kw_only=True)
class Matches(BaseValue):
    """Matches between the nodes and between the lines of two wireframes.

    A network that tells junctions from keypoints reports the matches of keypoint nodes in
    ``matches0`` and ``matches1`` (-1 at junctions), and those of junctions apart, in
    ``junction_matches0`` and ``junction_matches1``. One that treats all nodes alike reports
    one list in ``matches0`` and ``matches1``, and leaves the junctions' fields ``None``.

    Attributes:
        matches0: [B, P0] int64, the node of image 1 matched to each node of image 0, or -1.
        matches1: [B, P1] int64, the other way round.
        matching_scores0: [B, P0] in [0, 1], the probability of the best mutual partner,
            also where it is too low to count as a match; 0 without a mutual partner.
        matching_scores1: [B, P1].
        line_matches0: [B, L0] int64, as ``matches0`` for lines.
        line_matches1: [B, L1] int64.
        line_matching_scores0: [B, L0].
        line_matching_scores1: [B, L1].
        log_assignment: [B, P0+1, P1+1], log-probabilities; the last row and column stand
            for "unmatched"; -inf where a pair is impossible.
        line_log_assignment: [B, L0+1, L1+1], the same for lines.
        junction_matches0: [B, P0] int64 or None.
        junction_matches1: [B, P1] int64 or None.
        junction_matching_scores0: [B, P0] or None.
        junction_matching_scores1: [B, P1] or None.
        line_pair_indices: [S, 3] int64, pairs of lines that may be parts of one line, many to
            many: the pair of images in the batch, the line of image 0 and that of image 1, in
            this order. None where the network does not judge pairs of lines by themselves.
        line_pair_probabilities: [S] in [0, 1], how likely both are parts of one line; those that
            are next to impossible are left out.
        line_pair_overlaps: [S] in [0, 1], the share that both have in common if they are.
    """

    matches0: Tensor
    matches1: Tensor
    matching_scores0: Tensor
    matching_scores1: Tensor
    line_matches0: Tensor
    line_matches1: Tensor
    line_matching_scores0: Tensor
    line_matching_scores1: Tensor
    log_assignment: Tensor
    line_log_assignment: Tensor
    junction_matches0: Tensor | None = None
    junction_matches1: Tensor | None = None
    junction_matching_scores0: Tensor | None = None
    junction_matching_scores1: Tensor | None = None
    line_pair_indices: Tensor | None = None
    line_pair_probabilities: Tensor | None = None
    line_pair_overlaps: Tensor | None = None

    def __post_init__(self) -> None:
        specs = {
            "matches0": "B P0",
            "matches1": "B P1",
            "matching_scores0": "B P0",
            "matching_scores1": "B P1",
            "line_matches0": "B L0",
            "line_matches1": "B L1",
            "line_matching_scores0": "B L0",
            "line_matching_scores1": "B L1",
            "log_assignment": "B P0+1 P1+1",
            "line_log_assignment": "B L0+1 L1+1",
        }
        if self.junction_matches0 is not None:
            specs |= {
                "junction_matches0": "B P0",
                "junction_matches1": "B P1",
                "junction_matching_scores0": "B P0",
                "junction_matching_scores1": "B P1",
            }
        if self.line_pair_indices is not None:
            specs |= {
                "line_pair_indices": "S 3",
                "line_pair_probabilities": "S",
                "line_pair_overlaps": "S",
            }
        check_value(self, specs)

    def matched_keypoints(
        self, wireframe0: Wireframe, wireframe1: Wireframe, *, index: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the matched keypoints of one pair.

        Args:
            wireframe0: The wireframe of image 0, as given to the matcher.
            wireframe1: The wireframe of image 1.
            index: Which pair of the batch; may be left out for a batch of one.

        Returns:
            Two tensors [S, 2] px whose rows correspond.

        Raises:
            ValueError: If the batch has several pairs and ``index`` is left out.
        """
        row = self._row(index)
        return _pairs(self.matches0, wireframe0.keypoints, wireframe1.keypoints, row)

    def matched_junctions(
        self, wireframe0: Wireframe, wireframe1: Wireframe, *, index: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the matched junctions of one pair where they are reported apart.

        Arguments, result and errors are those of :meth:`matched_keypoints`; the tensors are
        empty where the network reports one list for all nodes.
        """
        row = self._row(index)
        matches = self.junction_matches0
        if matches is None:
            matches = torch.full_like(self.matches0, -1)
        return _pairs(matches, wireframe0.keypoints, wireframe1.keypoints, row)

    def matched_lines(
        self, wireframe0: Wireframe, wireframe1: Wireframe, *, index: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the matched lines of one pair, as the detector gave them.

        Arguments and errors are those of :meth:`matched_keypoints`.

        Returns:
            Two tensors [S, 2, 2] px whose rows correspond; the order of the endpoints is the
            detector's and need not correspond.
        """
        row = self._row(index)
        return _pairs(self.line_matches0, wireframe0.detected_lines, wireframe1.detected_lines, row)

    def line_pairs(
        self,
        *,
        index: int | None = None,
        threshold: float = LIKELY,
        max_per_line: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return which lines of one pair are parts of one line, many to many.

        Args:
            index: Which pair of the batch; may be left out for a batch of one.
            threshold: The least probability of being parts of one line, in [0, 1].
            max_per_line: Keep a pair only if it is among as many most likely ones of both its
                lines; None for all.

        Returns:
            The indices [S, 2] int64 of the lines of image 0 and image 1, in rising order, and
            the probabilities [S].

        Raises:
            ValueError: If the network does not judge pairs of lines by themselves, an option is
                out of range, or the batch has several pairs and ``index`` is left out.
        """
        row = self._row(index)
        kept = self.keep_line_pairs(threshold=threshold, max_per_line=max_per_line)
        assert kept.line_pair_indices is not None
        assert kept.line_pair_probabilities is not None
        own = kept.line_pair_indices[:, 0] == row
        return kept.line_pair_indices[own, 1:], kept.line_pair_probabilities[own]

    def keep_line_pairs(self, *, threshold: float, max_per_line: int | None = None) -> "Matches":
        """Return the same with the likely pairs of lines alone.

        Arguments and errors are those of :meth:`line_pairs`.
        """
        indices, probabilities = self.line_pair_indices, self.line_pair_probabilities
        if indices is None or probabilities is None or self.line_pair_overlaps is None:
            raise ValueError(
                "these matches hold no pairs of lines many to many, which the line head same_line "
                "finds: match with a model that has it, such as aliked-lsd-same-line"
            )
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold needs a probability from 0 to 1, found {threshold}")
        if max_per_line is not None and max_per_line < 1:
            raise ValueError(f"max_per_line needs a number from 1, found {max_per_line}")
        likely = likely_pairs(
            indices, probabilities, threshold=threshold, max_per_line=max_per_line
        )
        kept = likely.nonzero()[:, 0]
        return replace(
            self,
            line_pair_indices=indices[kept],
            line_pair_probabilities=probabilities[kept],
            line_pair_overlaps=self.line_pair_overlaps[kept],
        )

    def _row(self, index: int | None) -> int:
        batch_size = self.matches0.shape[0]
        if index is None and batch_size != 1:
            raise ValueError(f"the batch has {batch_size} pairs: say which one with index=")
        return index or 0


def _pairs(matches0: Tensor, values0: Tensor, values1: Tensor, row: int) -> tuple[Tensor, Tensor]:
    partners = matches0[row].to(values0.device)
    matched = partners > -1
    return values0[row][matched], values1[row][partners[matched]]


@dataclass(frozen=True, kw_only=True)
class GroundTruth(BaseValue):
    """The true matches between the nodes and between the lines of two wireframes.

    Besides indices there are two labels: -1 for a feature that certainly has no partner, and
    -2 for one that is to be ignored, because its partner is not known or it is padding.

    Attributes:
        gt_matches0: [B, P0] int64, the node of image 1 that is the same as each node of image
            0, -1 or -2.
        gt_matches1: [B, P1] int64, the other way round.
        gt_line_matches0: [B, L0] int64, as ``gt_matches0`` for lines.
        gt_line_matches1: [B, L1] int64.
    """

    gt_matches0: Tensor
    gt_matches1: Tensor
    gt_line_matches0: Tensor
    gt_line_matches1: Tensor

    def __post_init__(self) -> None:
        check_value(
            self,
            {
                "gt_matches0": "B P0",
                "gt_matches1": "B P1",
                "gt_line_matches0": "B L0",
                "gt_line_matches1": "B L1",
            },
        )
