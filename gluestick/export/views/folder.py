"""Pairs of a folder that match next to nothing, matched again in views that show the same alike.

Each image has one set of features, found in one view. Where an image has few pairs that match in
it, those of its pairs in which most was matched are searched for further views: one image may be a
detail of the other, or show things from another side. What is found there, and follows a geometry
that is no chance, is added to the features and matches, and the views are kept in ``views.h5``.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gluestick.export.arrays import Arrays, matches_arrays, wireframe_arrays, wireframe_from_arrays
from gluestick.export.features_h5 import FeaturesWriter
from gluestick.export.folder_images import NamePair, Progress
from gluestick.export.matches_h5 import MatchesWriter
from gluestick.export.origins import differences
from gluestick.export.views.doubt import (
    agreeing_in_views,
    agreeing_matches,
    matching_support,
    node_counts,
)
from gluestick.export.views.lines import add_view_lines, line_matches, matched_lines
from gluestick.export.views.nodes import add_view_nodes, node_matches
from gluestick.export.workers.steps import Failure, FolderSteps
from gluestick.features.image_batch import ImageBatch
from gluestick.storage.fingerprints import text_fingerprint
from gluestick.types import ViewFrame, Wireframe
from gluestick.viewpoint.attempts import PairAttempt
from gluestick.viewpoint.pair_views import SeenImage

VIEWS = "views.h5"
_IMAGES_IN_MEMORY = 20


@dataclass(frozen=True, kw_only=True)
class ViewBudget:
    """For how many pairs of a folder other views are searched.

    Attributes:
        max_searches: For how many pairs of an image, those in which most was matched first; 0 for
            none.
        enough_pairs: An image of which so many pairs match, in whichever views, needs no search.
    """

    max_searches: int = 5
    enough_pairs: int = 3

    def __post_init__(self) -> None:
        if self.max_searches < 0 or self.enough_pairs < 1:
            raise ValueError(
                "max_searches needs to be at least 0 and enough_pairs at least 1, found "
                f"{self.max_searches} and {self.enough_pairs}"
            )


@dataclass(frozen=True, kw_only=True)
class PairsInViews:
    """What a search for other views came to.

    Attributes:
        num_pairs: How many pairs matched there.
        num_new: How many of these were searched this time, and not by an earlier run.
    """

    num_pairs: int
    num_new: int


class FolderViews:
    """Searches other views of the pairs of a folder.

    Args:
        steps: The folder, and the matcher, whose ``view`` says what is tried.
        images: The fingerprints of the images by name.
        features: The file of features.
        matches: The file of matches, which has all pairs.
        views: The file in which views are kept.
        feature_settings: What decides the features.
        view_settings: What decides the views.
    """

    def __init__(
        self,
        steps: FolderSteps,
        images: Mapping[str, str],
        *,
        features: FeaturesWriter,
        matches: MatchesWriter,
        views: FeaturesWriter,
        feature_settings: Mapping[str, Any],
        view_settings: Mapping[str, Any],
    ) -> None:
        self._steps, self._images = steps, images
        self._features, self._matches, self._views = features, matches, views
        self._feature_settings, self._view_settings = feature_settings, view_settings
        self._batch = lru_cache(maxsize=_IMAGES_IN_MEMORY)(self._read_batch)
        self._counts = lru_cache(maxsize=None)(self._count_nodes)

    def search(
        self, pairs: Sequence[NamePair], budget: ViewBudget, progress: Progress
    ) -> PairsInViews:
        """Search other views of the pairs that need it, and return how many matched there.

        What an earlier run has searched counts as if it was done now, so that a run that was
        stopped finds what it would have found otherwise.

        Args:
            pairs: The pairs.
            budget: How many are searched.
            progress: Shows how far it is.

        Raises:
            ValueError: If an earlier run searched with other settings, or an image is gone.
            OSError: If a file cannot be written.
        """
        supports = {pair: self._support(pair) for pair in progress(pairs, "Pairs in doubt")}
        good: Counter[str] = Counter()
        doubtful = []
        for pair in sorted(pairs, key=lambda pair: -supports[pair]):
            if any(good[name] < budget.enough_pairs for name in pair):
                if self._is_good(pair, supports[pair]):
                    good.update(pair)
                else:
                    doubtful.append(pair)
        searched: Counter[str] = Counter()
        num_found = num_new = 0
        for pair in progress(doubtful, "Other views"):
            lacking = [name for name in pair if good[name] < budget.enough_pairs]
            if all(searched[name] >= budget.max_searches for name in lacking):
                continue
            searched.update(lacking)
            known = self._searched(pair) is not None
            if self._found(pair, supports[pair]):
                good.update(pair)
                num_found += 1
                num_new += not known
        return PairsInViews(num_pairs=num_found, num_new=num_new)

    def _support(self, pair: NamePair) -> float:
        """Return what a pair matched in the views of all pairs, as a share of the keypoints."""
        earlier = self._searched(pair)
        if earlier is not None:
            return float(earlier["support"])
        return matching_support(self._matches.read(*pair), list(map(self._counts, pair)))

    def _is_good(self, pair: NamePair, support: float) -> bool:
        """Tell whether a pair matched enough in the views of all, and no chance."""
        if support < self._steps.matcher.turn_search.min_support or self._searched(pair):
            return False
        features = [self._features.read(name) for name in pair]
        return agreeing_matches(self._matches.read(*pair), features) is not None

    def _searched(self, pair: NamePair) -> dict[str, Any] | None:
        """Return what an earlier run says of its search, None without one."""
        earlier = self._matches.origin(*pair).get("views")
        if earlier is None:
            return None
        differ = differences(earlier["settings"], self._view_settings)
        if differ:
            raise ValueError(
                f"{self._matches.path} has views of another run ({differ}): choose another output "
                "folder, or remove the file"
            )
        return dict(earlier)

    def _found(self, pair: NamePair, support: float) -> bool:
        """Tell whether a pair matches in other views, which are searched if they were not yet."""
        earlier = self._searched(pair)
        if earlier is not None:
            return earlier["frames"] is not None
        images = [self._image(name) for name in pair]
        best = self._steps.matcher.match_again(*images)
        inliers = agreeing_in_views(best)
        unchanged = all(
            seen is image.wireframe
            for seen, image in zip((best.wireframe0, best.wireframe1), images, strict=True)
        )
        if inliers is None or unchanged:
            self._write(pair, self._matches.read(*pair), support, None)
            return False
        arrays = self._add(pair, images, best, inliers)
        views = best.wireframe0.views[0], best.wireframe1.views[0]
        frames = [None if view is None else view.matrix.tolist() for view in views]
        self._write(pair, arrays, support, frames)
        return True

    def _add(
        self, pair: NamePair, images: Sequence[SeenImage], best: PairAttempt, inliers: np.ndarray
    ) -> Arrays:
        """Add to the features what a pair matched in other views, and return its matches."""
        assert best.matches is not None
        wireframes = best.wireframe0, best.wireframe1
        found = matches_arrays(*wireframes, best.matches)
        matched = np.flatnonzero(found["matches0"] > -1)[inliers]
        scores = found["matching_scores0"][matched]
        nodes, lines = [matched, found["matches0"][matched]], list(matched_lines(found))
        chosen, grown = (lines[0], lines[1]), []
        for side, (name, wireframe) in enumerate(zip(pair, wireframes, strict=True)):
            arrays = self._features.read(name)
            if wireframe is not images[side].wireframe:
                seen = wireframe_arrays(wireframe)
                self._views.add(self._entry(name, wireframe.views[0]), seen)
                arrays, nodes[side] = add_view_nodes(arrays, seen, nodes[side])
                arrays, lines[side] = add_view_lines(arrays, seen, lines[side])
                self._features.add(name, arrays, origin=self._features.origin(name))
            grown.append(arrays)
        self._views.flush()
        self._features.flush()
        num_nodes, num_lines = (
            [len(arrays[name]) for arrays in grown] for name in ("keypoints", "lines")
        )
        return {
            **node_matches(nodes, scores, num_nodes),
            **line_matches(found, chosen, (lines[0], lines[1]), num_lines),
        }

    def _write(
        self, pair: NamePair, arrays: Arrays, support: float, frames: Sequence[Any] | None
    ) -> None:
        origin = self._matches.origin(*pair)
        origin["views"] = {"settings": self._view_settings, "support": support, "frames": frames}
        self._matches.add_arrays(*pair, arrays, origin=origin)
        self._matches.flush()

    def _image(self, name: str) -> SeenImage:
        matcher, batch = self._steps.matcher, self._batch(name)
        wireframe = wireframe_from_arrays(self._features.read(name)).to(matcher.device)
        known: dict[ViewFrame | None, Wireframe] = {wireframe.views[0]: wireframe}

        def in_view(frame: ViewFrame | None) -> Wireframe:
            if frame not in known:
                entry = self._entry(name, frame)
                known[frame] = (
                    wireframe_from_arrays(self._views.read(entry)).to(matcher.device)
                    if entry in self._views
                    else matcher.extract(batch.images, masks=batch.masks, views=[frame])
                )
            return known[frame]

        return SeenImage(batch=batch, wireframe=wireframe, in_view=in_view)

    def _read_batch(self, name: str) -> ImageBatch:
        read = self._steps.read(name)
        if isinstance(read, Failure):
            raise ValueError(read.reason)
        return read.stored_batch()

    def _count_nodes(self, name: str) -> tuple[int, int]:
        return node_counts(self._features.read(name))

    def _entry(self, name: str, frame: ViewFrame | None) -> str:
        """Return the name under which a view of an image is kept."""
        view: list[object] | None = None if frame is None else [frame.affine, frame.size]
        if frame is not None and not frame.is_affine:
            view = [frame.affine, frame.size, frame.perspective]
        made_from = json.dumps([self._images[name], self._feature_settings, view], sort_keys=True)
        return f"{name}/{text_fingerprint(made_from)}"
