"""The line map of a reconstruction's folder, made unless it is there."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.export.features_h5 import FeaturesReader
from gluestick.export.folder_images import NamePair, Progress, no_progress
from gluestick.export.matches_h5 import MatchesReader
from gluestick.reconstruction.lines.files import read_line_map, write_line_map
from gluestick.reconstruction.lines.line_map import LineMapConfig, make_line_map
from gluestick.reconstruction.lines.stored import line_matches, line_views
from gluestick.reconstruction.lines.values import LineMap
from gluestick.reconstruction.outcome import Record, rounded
from gluestick.storage.fingerprints import text_fingerprint

LINES = "lines.json"


def make_lines(
    model: Any,
    features: Path,
    matches: Path,
    pairs: Sequence[NamePair],
    output: Path,
    *,
    model_digest: str,
    config: LineMapConfig,
    progress: Progress = no_progress,
) -> LineMap:
    """Make the line map of a model and write its files, unless they are there.

    Args:
        model: A ``pycolmap.Reconstruction``.
        features: The feature file.
        matches: The match file.
        pairs: The pairs whose matches are taken, by name.
        output: The folder for ``lines.ply``, ``lines.obj`` and ``lines.json``.
        model_digest: A digest of what the model comes from.
        config: The options.
        progress: Shows how far it is.

    Returns:
        The line map.

    Raises:
        OSError: If a file cannot be written.
    """
    with FeaturesReader(features) as feature_file, MatchesReader(matches) as match_file:
        origins = [match_file.origin(*pair) for pair in pairs]
        decides = [model_digest, asdict(config), [list(pair) for pair in pairs], origins]
        made_from = text_fingerprint(json.dumps(decides, sort_keys=True))
        views = line_views(model, feature_file)
        names = [view.name for view in views]
        earlier = _earlier(output / LINES, names, made_from)
        if earlier is not None:
            return earlier
        matched = line_matches(views, match_file, pairs)
    found = make_line_map(views, matched, config=config, progress=progress)
    write_line_map(output, found, names, made_from=made_from)
    return found


def line_map_record(lines: LineMap) -> Record:
    """Return the figures of a line map.

    Returns:
        ``num_lines``, ``num_observations``, ``mean_track_length``, ``track_lengths`` (how many
        lines by the number of photographs that see them), and the ``mean_reprojection_error``
        and ``median_reprojection_error``, px.
    """
    num_views = lines.num_views
    counts = Counter(num_views.tolist())
    some = len(lines) > 0
    return {
        "num_lines": len(lines),
        "num_observations": len(lines.observations),
        "mean_track_length": rounded(num_views.mean()) if some else 0.0,
        "track_lengths": {str(length): counts[length] for length in sorted(counts)},
        "mean_reprojection_error": rounded(lines.errors.mean() if some else None),
        "median_reprojection_error": rounded(np.median(lines.errors) if some else None),
    }


def _earlier(path: Path, names: Sequence[str], made_from: str) -> LineMap | None:
    try:
        found, digest = read_line_map(path, names)
    except ValueError:
        return None
    return found if digest == made_from else None
