"""What a person sets on the page, as a configuration."""

from dataclasses import dataclass
from typing import get_args

from gluestick.config import MatchConfig, load_match_config
from gluestick.pair_geometry import GeometryChoice
from gluestick.pretrained import DEFAULT_MODEL, MODELS
from gluestick.viewpoint.view_modes import VIEWS

MODEL_NAMES = tuple(name for name, card in MODELS.items() if card.shipped)
"""The models that need no further files."""

GEOMETRIES: tuple[str, ...] = get_args(GeometryChoice)

_DEFAULT = MODELS[DEFAULT_MODEL].config


@dataclass(frozen=True, kw_only=True)
class Range:
    """What a number may be.

    Attributes:
        low: The least.
        high: The greatest.
        step: How far it moves.
    """

    low: float
    high: float
    step: float


RANGES = {
    "max_num_keypoints": Range(low=64, high=4096, step=64),
    "max_num_lines": Range(low=0, high=1000, step=10),
    "resize": Range(low=256, high=2048, step=64),
    "min_length": Range(low=5, high=100, step=1),
    "point_threshold": Range(low=0, high=0.95, step=0.01),
    "line_threshold": Range(low=0, high=0.95, step=0.01),
    "max_error": Range(low=0, high=20, step=0.25),
}
"""The numbers that can be set."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a person set.

    Attributes:
        model: The name of a model that needs no further files.
        max_num_keypoints: How many keypoints are kept per image.
        max_num_lines: How many line segments are kept per image; 0 looks for none.
        resize: The long side at which features are detected, px.
        min_length: The shortest line segment, px of the resized image.
        point_threshold: The probability that a match of points must exceed.
        line_threshold: The probability that a match of lines must exceed.
        max_error: The largest error of an inlier, px; 0 for 3 px as detectors see the images.
        view: In which views the images of a pair are seen.
        geometry: What is estimated.
    """

    model: str = DEFAULT_MODEL
    max_num_keypoints: int = _DEFAULT.features.points.max_num_keypoints or 1024
    max_num_lines: int = _DEFAULT.features.lines.max_num_lines or 250
    resize: int = _DEFAULT.features.resize.size or 1024
    min_length: float = _DEFAULT.features.lines.min_length
    point_threshold: float = _DEFAULT.lightgluestick.filter_threshold
    line_threshold: float = _DEFAULT.lightgluestick.line_filter_threshold
    max_error: float = 0.0
    view: str = _DEFAULT.view
    geometry: str = "auto"

    def settings(self) -> MatchConfig:
        """Return the configuration.

        Raises:
            ValueError: If a choice is none of those that the page offers.
        """
        for name, allowed in (
            ("model", MODEL_NAMES),
            ("view", VIEWS),
            ("geometry", GEOMETRIES),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} needs to be one of {', '.join(allowed)}")
        for name, range_ in RANGES.items():
            if not range_.low <= getattr(self, name) <= range_.high:
                raise ValueError(f"{name} needs to be from {range_.low:g} to {range_.high:g}")
        values = {
            "model": self.model,
            "geometry": self.geometry,
            "max_error": self.max_error or "null",
            "pipeline.view": self.view,
            "pipeline.features.points.max_num_keypoints": int(self.max_num_keypoints),
            "pipeline.features.lines.max_num_lines": max(1, int(self.max_num_lines)),
            "pipeline.features.lines.min_length": float(self.min_length),
            "pipeline.features.resize.size": int(self.resize),
            "pipeline.lightgluestick.filter_threshold": float(self.point_threshold),
            "pipeline.lightgluestick.line_filter_threshold": float(self.line_threshold),
        }
        if not self.max_num_lines:
            values["pipeline.features.lines.name"] = "none"
        return load_match_config(None, [f"{key}={value}" for key, value in values.items()])
