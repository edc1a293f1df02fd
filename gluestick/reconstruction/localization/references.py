"""A query beside the photographs of a model: the most similar ones, its turn, and the matches.

Where few photographs match a query in the view in which all know it, others are matched with it in
views that show both alike: it may be a detail of them, or show things from another side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from gluestick.export.arrays import Arrays, matches_arrays, wireframe_arrays, wireframe_from_arrays
from gluestick.export.features_h5 import FeaturesReader
from gluestick.export.folder_images import Progress, no_progress
from gluestick.export.origins import feature_settings
from gluestick.export.stored_frame import in_stored_frame
from gluestick.export.views.doubt import (
    agreeing_in_views,
    agreeing_matches,
    matching_support,
    node_counts,
)
from gluestick.export.views.folder import ViewBudget
from gluestick.export.workers.steps import ReadImage
from gluestick.images.load import load_image, load_oriented_image
from gluestick.pipeline import PointLineMatcher
from gluestick.reconstruction.localization.reference_views import carried_keypoints
from gluestick.reconstruction.pairs.global_descriptors import most_similar
from gluestick.reconstruction.pairs.retrieval import PhotographDescriptors
from gluestick.types import Wireframe
from gluestick.viewpoint.attempts import PairAttempt
from gluestick.viewpoint.pair_views import SeenImage
from gluestick.viewpoint.turns.relative_turn import (
    OrientedKeypoints,
    RelativeTurn,
    oriented_keypoints,
    undoing_turn,
    vote_on_turn,
)
from gluestick.viewpoint.turns.turn_search import search_turn
from gluestick.viewpoint.view_modes import warps

_IN_MEMORY = 100
"""Photographs of the model."""

ENOUGH_REFERENCES = 2
"""A query that so many photographs match needs no further views."""

_MUST_AGREE = ("model", "point_detector", "features_version")
"""What decides whether descriptors can be compared."""


@dataclass(frozen=True, kw_only=True)
class MatchingConfig:
    """Options of the choice of references.

    Attributes:
        num_similar: How many of the most similar photographs a query is matched with.
        views: For how many of them further views are searched, where the matcher's ``view`` is
            "auto" or "exhaustive", those in which most was matched first.
    """

    num_similar: int = 10
    views: ViewBudget = field(
        default_factory=lambda: ViewBudget(max_searches=3, enough_pairs=ENOUGH_REFERENCES)
    )

    def __post_init__(self) -> None:
        if self.num_similar < 1:
            raise ValueError(f"num_similar needs to be at least 1, found {self.num_similar}")


@dataclass(frozen=True, kw_only=True)
class ReferenceMatches:
    """The matches of a query with a photograph of the model.

    Attributes:
        name: The photograph.
        similarity: How similar it is, from -1 to 1.
        keypoints: [S, 2] int64, the indices of matched keypoints, junctions among them, in the
            query and in the photograph.
        segments: [T, 2] int64, those of matched segments.
        support: What was matched, as a share of the keypoints.
        good: Whether that is enough, and no chance.
    """

    name: str
    similarity: float
    keypoints: np.ndarray
    segments: np.ndarray
    support: float = 0.0
    good: bool = True


@dataclass(frozen=True, kw_only=True)
class MatchedQuery:
    """A query and what it is matched with.

    Attributes:
        features: Its features in px as stored; see :mod:`gluestick.export.features_h5`. Behind
            the keypoints that were found in it are those of photographs, where they lie in it.
        scale: By what it was resized before features were found.
        turn: By how much it was turned, degrees from the x towards the y axis.
        references: The most similar photographs, the most similar first; none for a photograph
            that shows nothing.
    """

    features: Arrays
    scale: float
    turn: float
    references: Sequence[ReferenceMatches]


class References:
    """The photographs of a model, ready to be matched with queries.

    Args:
        matcher: It finds and matches points and lines.
        features: The features of the photographs.
        descriptors: The descriptors of whole photographs.
        names: The photographs.
        image_dir: Their folder.
        model: The name of the matcher.
        config: The options.
        progress: Shows how far it is.

    Raises:
        ValueError: If the features come from another model, or no photograph can be compared.
    """

    def __init__(
        self,
        matcher: PointLineMatcher,
        features: FeaturesReader,
        descriptors: PhotographDescriptors,
        names: Sequence[str],
        image_dir: Path,
        *,
        model: str,
        config: MatchingConfig | None = None,
        progress: Progress = no_progress,
    ) -> None:
        self._matcher, self._features, self._names = matcher, features, names
        self._image_dir, self._config = image_dir, config or MatchingConfig()
        _check_model(features, names, feature_settings(matcher, model=model))
        self._similar = descriptors.describe(names, progress=progress)
        self._vocabulary = descriptors.vocabulary(names)
        self._oriented = lru_cache(maxsize=_IN_MEMORY)(self._read_oriented)
        self._wireframe = lru_cache(maxsize=_IN_MEMORY)(self._read_wireframe)

    def match(self, path: Path) -> MatchedQuery:
        """Match a photograph with the most similar ones of the model.

        Args:
            path: The file.

        Raises:
            ValueError: If it cannot be read.
        """
        image, orientation = load_oriented_image(path)
        own = oriented_keypoints(image, config=self._matcher.relative_turn)
        chosen = self._choose(own)
        turn = self._turn(image, own, [name for name, _ in chosen])
        upright = self._matcher.extract(image, turns=[turn])
        wireframe = in_stored_frame(upright, orientation=orientation)
        features = wireframe_arrays(wireframe)
        references = [
            self._match(wireframe, features, name, similarity) for name, similarity in chosen
        ]
        if warps(self._matcher.view):
            batch = ReadImage(image, None, orientation).stored_batch()
            query = SeenImage(batch=batch, wireframe=wireframe)
            features, references = self._match_in_views(query, features, references)
        return MatchedQuery(
            features=features, scale=wireframe.scales[0], turn=turn, references=references
        )

    def _choose(self, own: OrientedKeypoints) -> list[tuple[str, float]]:
        descriptor = self._vocabulary.describe(own.descriptors)
        if not descriptor.any():
            return []
        similarities = self._similar @ descriptor
        excluded = np.logical_not(self._similar.any(axis=1))[None]
        rows = most_similar(
            descriptor[None], self._similar, count=self._config.num_similar, excluded=excluded
        )[0]
        return [(self._names[row], float(similarities[row])) for row in rows.tolist() if row >= 0]

    def _turn(self, image: Tensor, own: OrientedKeypoints, names: Sequence[str]) -> float:
        """Return by how much a query is to be turned to show things as the references do."""
        if self._matcher.rotation == "none":
            return 0.0
        config = self._matcher.relative_turn
        votes = [(vote_on_turn(self._oriented(name), own, config=config), name) for name in names]
        if self._matcher.rotation == "exhaustive" and not any(vote.confident for vote, _ in votes):
            votes = [(self._searched(image, name), name) for name in names[:1]]
        confident = [(vote, name) for vote, name in votes if vote.confident]
        if not confident:
            return 0.0
        vote, name = max(confident, key=lambda each: each[0].trust)
        known = float(self._features.origin(name).get("turn", 0.0))
        return (undoing_turn(vote, config=config) + known + 180) % 360 - 180

    def _searched(self, image: Tensor, name: str) -> RelativeTurn:
        assert self._matcher.extractor is not None
        reference = load_image(self._image_dir / name)
        return search_turn(
            self._matcher.extractor, reference, image, config=self._matcher.turn_search
        )

    def _match(
        self, wireframe: Wireframe, features: Arrays, name: str, similarity: float
    ) -> ReferenceMatches:
        reference = self._wireframe(name)
        found = matches_arrays(wireframe, reference, self._matcher.match(wireframe, reference))
        keypoints = found["matches0"]
        if "junction_matches0" in found:
            keypoints = np.where(keypoints < 0, found["junction_matches0"], keypoints)
        both = features, self._features.read(name)
        support = matching_support(found, list(map(node_counts, both)))
        enough = support >= self._matcher.turn_search.min_support
        return ReferenceMatches(
            name=name,
            similarity=similarity,
            keypoints=_pairs(keypoints),
            segments=_pairs(found["line_matches0"]),
            support=support,
            good=enough and agreeing_matches(found, both) is not None,
        )

    def _match_in_views(
        self, query: SeenImage, features: Arrays, references: Sequence[ReferenceMatches]
    ) -> tuple[Arrays, list[ReferenceMatches]]:
        """Match photographs again in views, and add to the query's features what they tell."""
        found = {own.name: own for own in references}
        num_good, budget = sum(own.good for own in references), self._config.views
        doubtful = sorted((own for own in references if not own.good), key=lambda own: -own.support)
        for own in doubtful[: budget.max_searches]:
            if num_good >= budget.enough_pairs:
                break
            best = self._matcher.match_again(query, self._seen(own.name))
            agree = agreeing_in_views(best)
            if agree is None or _unchanged(best, query, self._wireframe(own.name)):
                continue
            positions, indices = carried_keypoints(best, agree, self._features.read(own.name))
            places = len(features["keypoints"]) + np.arange(len(positions))
            features = {
                **features,
                "keypoints": np.concatenate([features["keypoints"], positions]),
            }
            found[own.name] = replace(
                own,
                keypoints=np.stack([places, indices], axis=1),
                segments=np.zeros((0, 2), np.int64),
                good=True,
            )
            num_good += 1
        return features, list(found.values())

    def _seen(self, name: str) -> SeenImage:
        image, orientation = load_oriented_image(self._image_dir / name)
        batch = ReadImage(image, None, orientation).stored_batch()
        return SeenImage(batch=batch, wireframe=self._wireframe(name))

    def _read_oriented(self, name: str) -> OrientedKeypoints:
        return oriented_keypoints(
            load_image(self._image_dir / name), config=self._matcher.relative_turn
        )

    def _read_wireframe(self, name: str) -> Wireframe:
        return wireframe_from_arrays(self._features.read(name)).to(self._matcher.device)


def _unchanged(attempt: PairAttempt, query: SeenImage, reference: Wireframe) -> bool:
    return attempt.wireframe0 is query.wireframe and attempt.wireframe1 is reference


def _pairs(matches0: np.ndarray) -> np.ndarray:
    matched = np.flatnonzero(matches0 >= 0)
    return np.stack([matched, matches0[matched]], axis=1).astype(np.int64)


def _check_model(
    features: FeaturesReader, names: Sequence[str], settings: Mapping[str, Any]
) -> None:
    for name in names:
        if name not in features:
            raise ValueError(f"the model has {name}, whose features are missing")
    stored = features.origin(names[0]).get("settings", {})
    differ = [key for key in _MUST_AGREE if key in stored and stored[key] != settings[key]]
    if differ:
        raise ValueError(
            f"the photographs are described by {stored.get('model')}, and queries were to be by "
            f"{settings['model']}: name the same --matcher and weights"
        )
