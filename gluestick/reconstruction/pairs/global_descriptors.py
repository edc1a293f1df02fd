"""One descriptor for a whole photograph, from local descriptors and a small vocabulary.

A vector of locally aggregated descriptors (Jégou et al., "Aggregating Local Descriptors into a
Compact Image Representation", CVPR 2010): for each word of the vocabulary the sum of the
differences of the descriptors that are nearest to it, brought to unit length word by word and as
a whole (Arandjelović and Zisserman, "All About VLAD", CVPR 2013).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import kmeans2

_ITERATIONS = 20
_PER_WORD = 256
"""So many descriptors for each word tell where it lies."""


@dataclass(frozen=True)
class Vocabulary:
    """Typical local descriptors.

    Attributes:
        words: [K, D] float32.
    """

    words: np.ndarray

    def describe(self, descriptors: np.ndarray) -> np.ndarray:
        """Return the descriptor of a photograph.

        Args:
            descriptors: [N, D], its local descriptors.

        Returns:
            [K * D] float32 of unit length; zeros without local descriptors.
        """
        words = self.words
        distances = (words**2).sum(axis=1) - 2 * descriptors @ words.T  # [N, K]
        nearest = distances.argmin(axis=1)
        sums = np.zeros(words.shape, np.float64)
        np.add.at(sums, nearest, descriptors - words[nearest])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        sums = np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), 0)
        total = np.linalg.norm(sums)
        return (sums / total if total > 0 else sums).ravel().astype(np.float32)


def learn_vocabulary(descriptors: Sequence[np.ndarray], *, num_words: int, seed: int) -> Vocabulary:
    """Learn a vocabulary from the descriptors of some photographs, by k-means.

    Args:
        descriptors: [N_i, D] of each photograph.
        num_words: How many words; fewer where there are not as many descriptors.
        seed: Decides where the search begins, and which descriptors are used if they are many.

    Returns:
        The vocabulary.

    Raises:
        ValueError: If there is no descriptor.
    """
    samples = np.concatenate(
        [np.zeros((0, 1), np.float32)] if not descriptors else list(descriptors)
    )
    if samples.size == 0:
        raise ValueError(
            "the photographs show nothing by which they could be compared: name the pairs with "
            "--pairs exhaustive, sequential or a file"
        )
    order = np.random.default_rng(seed).permutation(len(samples))[: _PER_WORD * num_words]
    samples = samples[order]
    start = np.unique(samples[:num_words], axis=0)
    words, _ = kmeans2(samples, start, iter=_ITERATIONS, minit="matrix", missing="warn")
    return Vocabulary(words.astype(np.float32))


def most_similar(
    queries: np.ndarray, references: np.ndarray, *, count: int, excluded: np.ndarray | None = None
) -> np.ndarray:
    """Return which photographs are most similar to some others.

    Args:
        queries: [Q, E], their descriptors.
        references: [R, E], those of the photographs to choose from.
        count: How many for each; fewer where there are not as many.
        excluded: [Q, R] bool, which ones are not to be chosen for which.

    Returns:
        [Q, C] int64, the most similar first; -1 where all others are excluded.
    """
    similarities = queries @ references.T
    if excluded is not None:
        similarities = np.where(excluded, -np.inf, similarities)
    order = np.argsort(-similarities, axis=1, kind="stable")[:, :count]
    allowed = np.isfinite(np.take_along_axis(similarities, order, axis=1))
    return np.where(allowed, order, -1)
