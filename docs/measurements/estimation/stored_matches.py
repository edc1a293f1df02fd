"""Matches of pairs of images, made once and kept in a folder for later runs."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gluestick import PointLineMatcher
from gluestick.storage.atomic import atomic_path


class StoredMatches(NamedTuple):
    """What the default model matched.

    Attributes:
        points0: [S, 2] px.
        points1: [S, 2] px.
        lines0: [M, 2, 2] px.
        lines1: [M, 2, 2] px.
        image_sizes: [2, 2], (width, height) px of both images.
    """

    points0: np.ndarray
    points1: np.ndarray
    lines0: np.ndarray
    lines1: np.ndarray
    image_sizes: np.ndarray


class MatchStore:
    """Matches pairs that are not in its folder yet.

    Args:
        folder: Where the matches are kept, a file for each pair.
        device: Where the model runs.
    """

    def __init__(self, folder: Path, *, device: str) -> None:
        self.folder = folder
        self.device = device
        self._matchers: dict[int, PointLineMatcher] = {}

    def get(
        self, name: str, load: Callable[[], tuple[Tensor, Tensor]], *, num_keypoints: int
    ) -> StoredMatches:
        """Return the matches of a pair.

        Args:
            name: The pair and everything that decides its images.
            load: Returns both images [3, H, W].
            num_keypoints: How many keypoints per image.
        """
        digest = hashlib.sha256(f"{name} {num_keypoints}".encode()).hexdigest()[:24]
        path = self.folder / f"{digest}.npz"
        if not path.exists():
            matches = self._match(load(), num_keypoints)
            with atomic_path(path) as temporary:
                np.savez_compressed(temporary, **matches._asdict())
        with np.load(path) as stored:
            return StoredMatches(**{field: stored[field] for field in StoredMatches._fields})

    def _match(self, images: tuple[Tensor, Tensor], num_keypoints: int) -> StoredMatches:
        if num_keypoints not in self._matchers:
            matcher = PointLineMatcher.from_pretrained(max_num_keypoints=num_keypoints)
            self._matchers[num_keypoints] = matcher.to(self.device)
        wireframe0, wireframe1, matches = self._matchers[num_keypoints](*images)
        pairs = (
            *matches.matched_keypoints(wireframe0, wireframe1),
            *matches.matched_lines(wireframe0, wireframe1),
        )
        sizes = torch.tensor([[image.shape[2], image.shape[1]] for image in images])
        return StoredMatches(*(array.cpu().numpy() for array in (*pairs, sizes)))
