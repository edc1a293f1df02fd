"""Queries to their poses, to be stopped and gone on with.

In the folder of results lie ``retrieval.h5``, the descriptors of the model's photographs;
``queries.h5``, which holds what came of each query as soon as it is known; ``map/`` where the
model's own features were not those of the matcher; and in the end ``poses.txt``, ``poses.json``
and ``report.html``, which appear together.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gluestick.export.features_h5 import FeaturesReader
from gluestick.export.folder_images import Progress, no_progress
from gluestick.export.origins import feature_settings, matching_settings, view_settings
from gluestick.pipeline import PointLineMatcher
from gluestick.reconstruction.localization.map_folder import prepare_map
from gluestick.reconstruction.localization.queries import Query, query_camera, read_queries
from gluestick.reconstruction.localization.query_pose import (
    PoseConfig,
    correspondences,
    estimate_query_pose,
)
from gluestick.reconstruction.localization.query_refinement import QueryRefinement
from gluestick.reconstruction.localization.records import failed_record, pose_lines, query_record
from gluestick.reconstruction.localization.references import MatchingConfig, References
from gluestick.reconstruction.localization.report import Seen, write_report
from gluestick.reconstruction.localization.scene_map import FEATURES, SceneMap, read_scene_map
from gluestick.reconstruction.outcome import Record
from gluestick.reconstruction.pairs.retrieval import PhotographDescriptors
from gluestick.storage.fingerprints import file_fingerprint, text_fingerprint
from gluestick.storage.h5.store import H5Store
from gluestick.storage.result_folder import files_together

POSES, RECORDS, REPORT = "poses.txt", "poses.json", "report.html"
_STORE = "queries.h5"
_VERSION = 1
"""Raised when the same settings give other results."""


@dataclass(frozen=True, kw_only=True)
class LocalizationInputs:
    """What is localized in what.

    Attributes:
        model: The folder of a reconstruction of :func:`gluestick.reconstruction.reconstruct`, or
            of a COLMAP model.
        queries: A folder of photographs, or a list of them; see
            :mod:`gluestick.reconstruction.localization.queries`.
        output: The folder for the results.
        image_dir: The photographs of the model; where the reconstruction says, if left out.
        query_dir: Where the photographs of a list are; beside it, if left out.
        cameras: Known cameras of queries, or None.
    """

    model: Path
    queries: Path
    output: Path
    image_dir: Path | None = None
    query_dir: Path | None = None
    cameras: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Localization:
    """What :func:`localize` made.

    Attributes:
        poses: The file of poses, ``name qw qx qy qz tx ty tz``, as hloc's.
        records: What is in ``poses.json``: a record for each query.
        report: The page.
    """

    poses: Path
    records: Sequence[Record]
    report: Path


def localize(
    matcher: PointLineMatcher,
    inputs: LocalizationInputs,
    *,
    model: str,
    matching: MatchingConfig | None = None,
    pose: PoseConfig | None = None,
    untrusted: bool = False,
    threads: int = 1,
    progress: Progress = no_progress,
) -> Localization:
    """Find where photographs were taken, in a model of other photographs.

    Each query is matched with the most similar photographs of the model; its points and lines
    then have places in space, from which follows its pose, and its focal length where it is not
    known. Queries do not depend on each other: one that cannot be read or localized is told with
    the reason. What an earlier run into the same folder has found is kept, provided that it
    comes from the same files and settings.

    Args:
        matcher: It finds and matches points and lines, as in the model.
        inputs: The folders and files.
        model: The name of the matcher.
        matching: How references are chosen.
        pose: How poses are estimated.
        untrusted: Whether ``poses.txt`` also has poses that could be chance.
        threads: Processors, for making a map of a COLMAP model.
        progress: Shows how far it is.

    Returns:
        The files and the records.

    Raises:
        ValueError: If there is no model, there are no queries, or features do not fit.
        OSError: If a file cannot be written.
        ImportError: If pycolmap is missing.
    """
    matching, pose = matching or MatchingConfig(), pose or PoseConfig()
    queries = read_queries(inputs.queries, query_dir=inputs.query_dir, cameras=inputs.cameras)
    place = prepare_map(
        matcher,
        inputs.model,
        inputs.output,
        matcher_name=model,
        image_dir=inputs.image_dir,
        seed=pose.seed,
        threads=threads,
        progress=progress,
    )
    scene = read_scene_map(place.folder)
    settings = [
        _VERSION,
        scene.fingerprint,
        feature_settings(matcher, model=model),
        matching_settings(matcher, model=model),
        view_settings(matcher),
        asdict(matching),
        asdict(pose),
    ]
    with (
        H5Store(inputs.output / _STORE) as store,
        FeaturesReader(place.folder / FEATURES) as features,
        PhotographDescriptors(place.descriptors, place.image_dir) as descriptors,
    ):

        def references() -> References:
            return References(
                matcher,
                features,
                descriptors,
                scene.names,
                place.image_dir,
                model=model,
                config=matching,
                progress=progress,
            )

        waiting = _Queries(store, scene, settings, pose, place.image_dir, references)
        results = [waiting.result(query) for query in progress(queries, "Queries")]
    records = [record for record, _ in results]
    _write(inputs.output, scene, queries, results, untrusted=untrusted)
    return Localization(poses=inputs.output / POSES, records=records, report=inputs.output / REPORT)


class _Queries:
    """Localizes queries one after the other, and keeps what came of them."""

    def __init__(
        self,
        store: H5Store,
        scene: SceneMap,
        settings: Sequence[Any],
        config: PoseConfig,
        image_dir: Path,
        make_references: Callable[[], References],
    ) -> None:
        self._store, self._scene, self._config = store, scene, config
        self._settings = settings
        self._make_references = make_references
        self._references: References | None = None
        self._refinement = QueryRefinement(scene, image_dir)

    def result(self, query: Query) -> tuple[Record, Seen | None]:
        """Return the record of a query, and what is seen in it where it could be read."""
        entry = f"queries/{query.name}"
        try:
            made_from = self._digest(query)
        except (ValueError, OSError) as error:
            return _failed(query, error), None
        if self._store.attributes(entry).get("made_from") == made_from:
            stored = self._store.read(entry)
            return json.loads(stored.attributes["record"]), Seen(**stored.arrays)
        if self._references is None:
            self._references = self._make_references()
        try:
            matched = self._references.match(query.path)
            width, height = matched.features["image_size"].tolist()
            camera = query_camera(query, (width, height))
        except (ValueError, OSError) as error:
            return _failed(query, error), None
        found = correspondences(self._scene, matched.references)
        pose = estimate_query_pose(self._scene, matched, found, camera, config=self._config)
        if self._config.refine:
            pose = self._refinement.refine(query.path, matched, found, pose)
        record = query_record(query.name, self._scene, matched, found, camera, pose)
        seen = Seen.of(matched, found, pose)
        self._store.append(
            entry,
            asdict(seen),
            attributes={"made_from": made_from, "record": json.dumps(record)},
        )
        return record, seen

    def _digest(self, query: Query) -> str:
        if not query.path.is_file():
            raise ValueError(f"there is no image {query.path}")
        camera = None if query.camera is None else asdict(query.camera)
        parts = [*self._settings, file_fingerprint(query.path), camera]
        return text_fingerprint(json.dumps(parts, sort_keys=True))


def _failed(query: Query, error: Exception) -> Record:
    return failed_record(query.name, " ".join(str(error).split()))


def _write(
    output: Path,
    scene: SceneMap,
    queries: Sequence[Query],
    results: Sequence[tuple[Record, Seen | None]],
    *,
    untrusted: bool,
) -> None:
    records = [record for record, _ in results]
    with files_together(output, (RECORDS, REPORT, POSES)) as folder:
        (folder / RECORDS).write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
        (folder / POSES).write_text(pose_lines(records, untrusted=untrusted), encoding="utf-8")
        write_report(folder / REPORT, scene, queries, results)
