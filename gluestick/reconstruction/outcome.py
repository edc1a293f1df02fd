"""What came of a reconstruction, as plain values for ``reconstruction.json``."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.export.folder_images import NamePair
from gluestick.storage.atomic import atomic_path

Record = dict[str, Any]

LEAST_OBSERVATIONS = 15
"""In how many points of a model the place of a photograph can be trusted."""


def pair_records(
    database: Any, image_ids: Mapping[str, int], pairs: Sequence[NamePair]
) -> list[Record]:
    """Return for each pair how much was matched and what COLMAP's database says of it.

    Args:
        database: An open ``pycolmap.Database``.
        image_ids: The numbers of the images by name.
        pairs: The pairs, by name.

    Returns:
        Dictionaries with ``names``, ``num_matches``, ``num_inliers`` and ``geometry``, the name
        of COLMAP's configuration in lower case; "degenerate" where no geometry is trusted.
    """
    pycolmap = import_pycolmap("a COLMAP database")
    matches = _by_pair(*database.read_num_matches())
    records = []
    for names in pairs:
        numbers = [image_ids[name] for name in names]
        geometry = database.read_two_view_geometry(*numbers)
        kind = pycolmap.TwoViewGeometryConfiguration(geometry.config)
        records.append(
            {
                "names": list(names),
                "num_matches": matches.get(pycolmap.image_pair_to_pair_id(*numbers), 0),
                "num_inliers": len(geometry.inlier_matches),
                "geometry": kind.name.lower(),
            }
        )
    return records


def model_record(model: Any) -> Record:
    """Return the figures of a model.

    Args:
        model: A ``pycolmap.Reconstruction``.

    Returns:
        ``num_registered``, ``num_points``, ``num_observations``, ``mean_track_length``,
        ``track_lengths`` (how many points by the number of photographs that see them), and the
        ``mean_reprojection_error`` and ``median_reprojection_error`` of the points, px.
    """
    points = list(model.points3D.values())
    lengths = Counter(point.track.length() for point in points)
    errors = np.array([point.error for point in points if point.error >= 0])
    return {
        "num_registered": model.num_reg_images(),
        "num_points": len(points),
        "num_observations": model.compute_num_observations(),
        "mean_track_length": rounded(model.compute_mean_track_length() if points else 0.0),
        "track_lengths": {str(length): lengths[length] for length in sorted(lengths)},
        "mean_reprojection_error": rounded(errors.mean() if len(errors) else None),
        "median_reprojection_error": rounded(np.median(errors) if len(errors) else None),
    }


def photograph_records(
    names: Sequence[str],
    models: Sequence[Any],
    pairs: Sequence[Record],
    left_out: Mapping[str, str],
) -> list[Record]:
    """Return for each photograph whether it is in a model, and otherwise why not.

    Args:
        names: All photographs of the folder.
        models: The models, the largest first.
        pairs: What :func:`pair_records` returned.
        left_out: Why, by the names of those that were not matched.

    Returns:
        Dictionaries with ``name``, ``registered`` (in the first model), ``model`` (its number, or
        None), ``num_observations``, ``num_verified_pairs``, and ``reason``, None for registered
        ones.
    """
    places: dict[str, tuple[int, int]] = {}
    for number, model in reversed(list(enumerate(models))):
        for image in model.images.values():
            if image.has_pose:
                places[image.name] = number, image.num_points3D
    by_name: dict[str, list[Record]] = {}
    for record in pairs:
        for name in record["names"]:
            by_name.setdefault(name, []).append(record)
    records = []
    for name in names:
        own = by_name.get(name, [])
        model, observations = places.get(name, (None, 0))
        reason = None if model == 0 else left_out.get(name) or _reason(name, own, model)
        records.append(
            {
                "name": name,
                "registered": model == 0,
                "model": model,
                "num_observations": observations,
                "num_verified_pairs": sum(record["num_inliers"] > 0 for record in own),
                "reason": reason,
            }
        )
    return records


def write_json(path: Path, content: Record) -> None:
    """Write plain values in one step.

    Raises:
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def rounded(value: Any) -> float | None:
    """Return a number to four decimals, or None for None."""
    return None if value is None else round(float(value), 4)


def _reason(name: str, pairs: Sequence[Record], model: int | None) -> str:
    if model is not None:
        return f"it is in model {model}, which nothing connects with the largest one"
    if not pairs:
        return "it is in no pair"
    verified = [record for record in pairs if record["num_inliers"] > 0]
    if not verified:
        best = max(pairs, key=lambda record: record["num_matches"])
        return (
            f"no pair with it was verified; the most matches, {best['num_matches']}, are with "
            f"{_other(best, name)}"
        )
    best = max(verified, key=lambda record: record["num_inliers"])
    return (
        f"no pose that {LEAST_OBSERVATIONS} points support was found from its {len(verified)} "
        "verified pairs, the best with "
        f"{best['num_inliers']} matches to {_other(best, name)}"
    )


def _other(record: Record, name: str) -> str:
    first, second = record["names"]
    return str(second if first == name else first)


def _by_pair(numbers: Sequence[int], counts: Sequence[int]) -> dict[int, int]:
    return dict(zip(numbers, counts, strict=True))
