"""Features and matches of a folder of images in hloc's files, made to be stopped and gone on with.

Coordinates are px of the images as their files store them, which is what COLMAP takes (see
:mod:`gluestick.export.stored_frame`). Photographs are turned upright before anything is detected:
as EXIF says, and then so that all agree. Each is detected once, in one view, in which it is matched
with all others; pairs that match next to nothing there are matched in further views
(:mod:`gluestick.export.views.folder`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from gluestick.export.features_h5 import FeaturesWriter
from gluestick.export.folder_checks import check_features, check_matches
from gluestick.export.folder_images import (
    NamePair,
    Progress,
    Skipped,
    checked_pairs,
    neighbours_together,
    no_progress,
)
from gluestick.export.matches_h5 import MatchesWriter
from gluestick.export.origins import feature_settings, matching_settings, view_settings
from gluestick.export.views.folder import VIEWS, FolderViews, PairsInViews, ViewBudget
from gluestick.export.workers.local import LocalWorkers
from gluestick.export.workers.protocol import Workers
from gluestick.export.workers.steps import Failure, FolderSteps
from gluestick.images.load import load_image
from gluestick.pipeline import PointLineMatcher
from gluestick.storage.fingerprints import arrays_fingerprint
from gluestick.viewpoint.turns.folder_turns import Search, estimate_folder_turns
from gluestick.viewpoint.turns.turn_search import search_turn
from gluestick.viewpoint.view_modes import warps


@dataclass(frozen=True, kw_only=True)
class HlocFolder:
    """What :func:`export_hloc_folder` wrote.

    Attributes:
        features: hloc's feature file; see :mod:`gluestick.export.features_h5`.
        matches: hloc's match file; see :mod:`gluestick.export.matches_h5`.
        num_images: How many of the images it was asked for have features now.
        num_pairs: How many of the pairs have matches now.
        num_new_pairs: How many of these were matched this time.
        num_view_pairs: How many matched in further views only.
        num_new_view_pairs: How many of these were found this time.
        num_skipped_pairs: How many could not be matched.
        skipped: What could not be done.
    """

    features: Path
    matches: Path
    num_images: int
    num_pairs: int
    num_new_pairs: int
    num_view_pairs: int
    num_new_view_pairs: int
    num_skipped_pairs: int
    skipped: Skipped


def export_hloc_folder(
    matcher: PointLineMatcher,
    image_dir: Path,
    pairs: Sequence[NamePair],
    output: Path,
    *,
    model: str,
    mask_dir: Path | None = None,
    views: ViewBudget | None = None,
    strict: bool = False,
    workers: Workers | None = None,
    progress: Progress = no_progress,
) -> HlocFolder:
    """Write the features of the images of a folder and the matches of some pairs of them.

    What the files already hold is left as it is, provided that it comes from the same images,
    model and settings. Images that are missing or cannot be read are left out.

    Args:
        matcher: Its ``rotation`` says how turned images are dealt with: "none" leaves them;
            "auto" lets pairs vote, from which one turn per image follows, a multiple of 90
            degrees; "exhaustive" also searches pairs whose images no votes connect.
        image_dir: The folder of images.
        pairs: Pairs of names, relative to the folder. A pair that is there both ways round is
            matched once, the first way.
        output: The folder for ``features.h5`` and ``matches.h5``, which one process at a time
            writes.
        model: The name of the matcher, which is kept with what it finds.
        mask_dir: The folder of masks, of which the image ``a/b.jpg`` has ``a/b.jpg.png``, in its
            stored pixels, as COLMAP has them: nothing is found where it is black. None, or a
            missing file, for no mask.
        views: For how many pairs further views are searched, in this process, where the
            matcher's ``view`` is "auto" or "exhaustive".
        strict: Whether an image or a pair that cannot be used is an error.
        workers: Who finds features and matches; None for this process. The files are the same.
        progress: Shows how far it is.

    Returns:
        What was written.

    Raises:
        ValueError: If no pair is left, the files hold features or matches of other images,
            models or settings, are damaged, or are written by another process; and if
            ``strict``, if an image or a pair cannot be used.
        OSError: If a file cannot be written.
    """
    features = feature_settings(matcher, model=model)
    matches = matching_settings(matcher, model=model)
    skipped = Skipped(strict=strict)
    wanted = checked_pairs(image_dir, pairs, skipped, mask_dir=mask_dir, progress=progress)
    steps = FolderSteps(matcher, image_dir, mask_dir)
    folder = _Folder(
        steps, workers or LocalWorkers(), features, matches, wanted.images, skipped, progress
    )
    paths = output / "features.h5", output / "matches.h5"
    with FeaturesWriter(paths[0]) as stored, MatchesWriter(paths[1]) as matched:
        check_features(stored, wanted.images, features)
        missing = {name for name in wanted.images if name not in stored}
        check_matches(stored, matched, wanted.pairs, matches, progress=progress)
        folder.extract_missing(stored, wanted.pairs)
        left = skipped.left(wanted.pairs)
        new = [pair for pair in left if missing & set(pair)]
        check_matches(stored, matched, new, matches, progress=progress)
        num_new = folder.match_missing(stored, matched, left)
        in_views = folder.search_views(stored, matched, left, output / VIEWS, views)
    return HlocFolder(
        features=paths[0],
        matches=paths[1],
        num_images=len([name for name in wanted.images if name not in skipped.images]),
        num_pairs=len(left),
        num_new_pairs=num_new,
        num_view_pairs=in_views.num_pairs,
        num_new_view_pairs=in_views.num_new,
        num_skipped_pairs=wanted.num_pairs - len(left) + len(skipped.pairs),
        skipped=skipped,
    )


@dataclass(frozen=True)
class _Folder:
    """The steps of an export, and what they share."""

    steps: FolderSteps
    workers: Workers
    feature_settings: Mapping[str, Any]
    matching_settings: Mapping[str, Any]
    images: Mapping[str, str]  # the fingerprints of the files by name
    skipped: Skipped
    progress: Progress

    def extract_missing(self, stored: FeaturesWriter, pairs: Sequence[NamePair]) -> None:
        """Extract the images that the file lacks."""
        if all(name in stored for name in self.images):
            return
        turns = self._turns(stored, pairs)
        missing = [
            name for name in self.images if name not in stored and name not in self.skipped.images
        ]
        images = [(name, turns.get(name, 0.0)) for name in missing]
        found = self.workers.extract(self.steps, images)
        for name, turn in self.progress(images, "Features"):
            arrays = next(found)
            if isinstance(arrays, Failure):
                self.skipped.skip_image(name, arrays.reason)
                continue
            origin = {
                "image": self.images[name],
                "settings": self.feature_settings,
                "turn": turn,
                "features": arrays_fingerprint(arrays),
            }
            stored.add(name, arrays, origin=origin)
            stored.flush()

    def _turns(self, stored: FeaturesWriter, pairs: Sequence[NamePair]) -> dict[str, float]:
        """Return by how much each image is to be turned, beyond what EXIF says."""
        if self.steps.matcher.rotation == "none":
            return {}
        names = list(self.images)
        indices = {name: index for index, name in enumerate(names)}
        known = {
            indices[name]: float(stored.origin(name).get("turn", 0.0))
            for name in names
            if name in stored
        }

        def image(name: str) -> Tensor | None:
            try:
                return load_image(self.steps.image_dir / name)
            except (ValueError, OSError) as error:
                self.skipped.skip_image(name, error)
                return None

        turns = estimate_folder_turns(
            (image(name) for name in self.progress(names, "Turns of images")),
            ((indices[a], indices[b]) for a, b in self.progress(pairs, "Turns of pairs")),
            known=known,
            search=self._search(names) if self.steps.matcher.rotation == "exhaustive" else None,
            config=self.steps.matcher.relative_turn,
        )
        return dict(zip(names, turns, strict=True))

    def _search(self, names: Sequence[str]) -> Search:
        extractor = self.steps.matcher.extractor
        assert extractor is not None

        @lru_cache(maxsize=2)
        def image(index: int) -> Tensor:
            return load_image(self.steps.image_dir / names[index])

        def search(index0: int, index1: int) -> Any:
            return search_turn(
                extractor, image(index0), image(index1), config=self.steps.matcher.turn_search
            )

        return search

    def match_missing(
        self, stored: FeaturesWriter, matched: MatchesWriter, pairs: Sequence[NamePair]
    ) -> int:
        """Match the pairs that the file lacks and return how many they were."""
        missing = neighbours_together([pair for pair in pairs if pair not in matched])
        found = self.workers.match(self.steps, missing, stored.read)
        for name0, name1 in self.progress(missing, "Matches"):
            arrays = next(found)
            origins = {name: str(stored.origin(name).get("features")) for name in (name0, name1)}
            origin = {"settings": self.matching_settings, "features": origins}
            matched.add_arrays(name0, name1, arrays, origin=origin)
            matched.flush()
        return len(missing)

    def search_views(
        self,
        stored: FeaturesWriter,
        matched: MatchesWriter,
        pairs: Sequence[NamePair],
        path: Path,
        budget: ViewBudget | None,
    ) -> PairsInViews:
        """Match pairs that need it in further views, kept in a file; return how many matched."""
        budget = budget or ViewBudget()
        if not warps(self.steps.matcher.view) or budget.max_searches == 0:
            return PairsInViews(num_pairs=0, num_new=0)
        with FeaturesWriter(path) as views:
            return FolderViews(
                self.steps,
                self.images,
                features=stored,
                matches=matched,
                views=views,
                feature_settings=self.feature_settings,
                view_settings=view_settings(self.steps.matcher),
            ).search(pairs, budget, self.progress)
