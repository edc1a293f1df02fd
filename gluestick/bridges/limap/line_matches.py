"""Matches of lines as LIMAP takes them: pairs of indices, one to one or many to many."""

import numpy as np
import torch

from gluestick.export.arrays import Arrays
from gluestick.types.line_pairs import best_of_each


def line_matches(arrays: Arrays, *, topk: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which lines of two images match.

    Args:
        arrays: The matches of a pair; see :func:`gluestick.export.arrays.matches_arrays`.
        topk: 0 for matches one to one; otherwise how many lines of image 1 a line of image 0 is
            matched with at most, those that are most likely parts of the same line.

    Returns:
        The pairs [M, 2] int64, by the line of image 0 and the best first, and their scores [M]
        in [0, 1].

    Raises:
        ValueError: If ``topk`` is negative, or the matches hold no pairs of lines many to many.
    """
    if topk < 0:
        raise ValueError(f"topk needs a number from 0, found {topk}")
    if topk == 0:
        partners = arrays["line_matches0"]
        matched = np.flatnonzero(partners > -1)
        pairs = np.stack([matched, partners[matched]], axis=1)
        return pairs, arrays["line_matching_scores0"][matched]
    if "line_pairs" not in arrays:
        raise ValueError(
            "these matches hold no pairs of lines many to many, which the line head same_line "
            "finds: match with a model that has it, such as aliked-lsd, or with topk 0"
        )
    pairs, scores = arrays["line_pairs"], arrays["line_pair_probabilities"]
    kept = best_of_each(torch.from_numpy(pairs[:, 0]), torch.from_numpy(scores), number=topk)
    pairs, scores = pairs[kept.numpy()], scores[kept.numpy()]
    order = np.lexsort((-scores, pairs[:, 0]))
    return pairs[order], scores[order]
