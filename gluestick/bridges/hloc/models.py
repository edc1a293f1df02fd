"""The options of the extractor and the matcher, and the model that they stand for."""

from collections.abc import Mapping
from typing import Any

from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import DEFAULT_MODEL

EXTRACTOR_OPTIONS: dict[str, Any] = {
    "model": DEFAULT_MODEL,
    "detector_weights": None,
    "max_num_keypoints": None,
    "max_num_lines": None,
}
"""``model`` names a model of :mod:`gluestick.pretrained`; None is what the model says."""

MATCHER_OPTIONS: dict[str, Any] = {"model": DEFAULT_MODEL, "weights": None, "junctions": False}
"""``junctions`` is whether matches of line junctions are among the points' matches."""

_OF_HLOC = {"name"}
_OF_MATCHES = {"junctions"}


def load_model(conf: Mapping[str, Any], *, known: Mapping[str, Any]) -> PointLineMatcher:
    """Load the model that a configuration of hloc names.

    Args:
        conf: The options by name, hloc's own among them.
        known: The options that there are.

    Raises:
        ValueError: If there is no such option or model, or its weights are not shipped and none
            are given.
    """
    unknown = sorted(conf.keys() - known.keys() - _OF_HLOC)
    if unknown:
        raise ValueError(f"the options are {', '.join(known)}, found {', '.join(unknown)}")
    chosen = {key: conf[key] for key in known.keys() - _OF_MATCHES - {"model"}}
    return PointLineMatcher.from_pretrained(conf["model"], **chosen)
