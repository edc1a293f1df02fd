"""What features and matches in a file come from, so that only what fits together is put together.

The features of an image come from the content of its file and from everything that decides what
is found in it; matches from the features of both images and from everything that decides what is
matched. Both are kept as JSON in the attribute ``origin`` of the image's or pair's group, where
programs made for hloc pass over them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from gluestick.storage.fingerprints import fingerprint, weights_fingerprint
from gluestick.storage.h5.reader import H5Reader

if TYPE_CHECKING:
    from gluestick.pipeline import PointLineMatcher

ORIGIN = "origin"
"""The name of the attribute."""

FEATURES_VERSION = 1
"""Raised when the same settings give other features, or they are written in another way."""

MATCHES_VERSION = 1
"""The same for matches."""

VIEWS_VERSION = 1
"""The same for what is matched in further views."""

_VIEW_OPTIONS = ("turn_search", "matched_view", "view_search")

_MOST_DIFFERENCES = 4


def feature_settings(matcher: "PointLineMatcher", *, model: str) -> dict[str, Any]:
    """Return what decides, besides the image, which features a matcher finds.

    Args:
        matcher: It extracts.
        model: Its name.

    Returns:
        JSON values by name.

    Raises:
        ValueError: If the matcher is only given wireframes.
    """
    extractor = matcher.extractor
    if extractor is None:
        raise ValueError(
            "the weights of the model's point detector are not shipped: name their file with "
            "detector_weights= (--detector-weights)"
        )
    settings: dict[str, Any] = {
        "features_version": FEATURES_VERSION,
        "model": model,
        "point_detector": weights_fingerprint(extractor.point_detector),
        "rotation": matcher.rotation,
        **_flat(asdict(extractor.config)),
        **_flat({"wireframe": asdict(matcher.wireframe)}),
    }
    if matcher.rotation != "none":
        settings |= _flat({"relative_turn": asdict(matcher.relative_turn)})
    if matcher.rotation == "exhaustive":
        settings |= _flat({"turn_search": asdict(matcher.turn_search)})
    return _as_json(settings)


def matching_settings(matcher: "PointLineMatcher", *, model: str) -> dict[str, Any]:
    """Return what decides, besides the features, what a matcher matches; as JSON values."""
    options = getattr(matcher.network, "config", None)
    return _as_json(
        {
            "matches_version": MATCHES_VERSION,
            "model": model,
            "network": weights_fingerprint(matcher.network),
            **(
                _flat(asdict(options))
                if is_dataclass(options) and not isinstance(options, type)
                else {}
            ),
            "matching": fingerprint(matcher.network),
        }
    )


def view_settings(matcher: "PointLineMatcher") -> dict[str, Any]:
    """Return what decides, besides features and network, in which further views pairs match."""
    options = {name: asdict(getattr(matcher, name)) for name in _VIEW_OPTIONS}
    return _as_json({"views_version": VIEWS_VERSION, "view": matcher.view, **_flat(options)})


def differences(found: Mapping[str, Any], needed: Mapping[str, Any]) -> str:
    """Say in words how the settings in a file differ from those that are needed.

    Args:
        found: What the file says.
        needed: What is needed.

    Returns:
        A part of a sentence, empty if they are the same.
    """
    keys = [key for key in {**needed, **found} if found.get(key) != needed.get(key)]
    # What only one of them has follows from another setting, and "matching" sums up the others.
    direct = [key for key in keys if key in found and key in needed]
    keys = [key for key in direct if key != "matching"] or direct or keys
    parts = [f"{key} was {found.get(key)!r} and is now {needed.get(key)!r}" for key in keys]
    if len(parts) > _MOST_DIFFERENCES:
        more = len(parts) - _MOST_DIFFERENCES
        parts = [*parts[:_MOST_DIFFERENCES], f"and {more} more"]
    return "; ".join(parts)


def read_origin(reader: H5Reader, name: str) -> dict[str, Any]:
    """Return what an entry of a file says it comes from, empty if it does not name settings.

    Raises:
        ValueError: If the file is damaged.
    """
    if not reader.contains(name):
        return {}
    with reader.entry(name, keys=()) as entry:
        found = json.loads(entry.attributes.get(ORIGIN, "{}"))
    told = isinstance(found, dict) and isinstance(found.get("settings"), dict)
    return found if told else {}


def _flat(values: Mapping[str, Any], *, within: str = "") -> dict[str, Any]:
    """Return nested values by paths such as ``points.max_num_keypoints``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = isinstance(value, Mapping)
        flat |= _flat(value, within=f"{within}{key}.") if inner else {f"{within}{key}": value}
    return flat


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(values)))
