"""Configuration files: schema, YAML and overrides become plain dataclasses."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gluestick.pipeline_config import PipelineConfig, TrainedModel
from gluestick.presets import config_path
from gluestick.pretrained import DEFAULT_MODEL, MODELS, model_card

Schema = TypeVar("Schema")


@dataclass(frozen=True, kw_only=True)
class MatchConfig:
    """What ``gluestick match`` and ``gluestick export`` need.

    Attributes:
        model: The name of a model or of a peer; see ``gluestick models``.
        weights: A file of network weights, for models whose weights are not shipped.
        detector_weights: A file of point detector weights, for the same.
        pipeline: The pipeline; what is not set is as in the model.
        geometry: What is estimated from the matches; ``auto`` decides between a homography and
            epipolar geometry.
        max_error: The inlier threshold, px of the images; None for 3 px of the images as
            detectors saw them.
        homography_solver: What estimates homographies: the project's own estimator from points
            and lines, PoseLib, or OpenCV's MAGSAC++.
        fundamental_solver: What estimates epipolar geometry where the cameras are not known.
    """

    model: str = DEFAULT_MODEL
    weights: str | None = None
    detector_weights: str | None = None
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    geometry: Literal["auto", "homography", "fundamental", "none"] = "auto"
    max_error: float | None = None
    homography_solver: Literal["gluestick", "poselib", "magsac"] = "gluestick"
    fundamental_solver: Literal["poselib", "magsac"] = "poselib"

    def __post_init__(self) -> None:
        if self.max_error is not None and not 0 < self.max_error < math.inf:
            raise ValueError(f"max_error needs a positive number of px, found {self.max_error}")


def load_config(
    path: str | Path | None, overrides: Sequence[str] = (), *, defaults: Schema
) -> Schema:
    """Merge defaults, a YAML file and overrides, in this order.

    Args:
        path: A YAML file, or the name of a preset (:mod:`gluestick.presets`), or None.
        overrides: Assignments such as ``pipeline.features.points.max_num_keypoints=512``.
        defaults: A dataclass, whose values are the defaults and whose types are the schema.

    Returns:
        A dataclass of the same type.

    Raises:
        ValueError: If the file cannot be read, or a key or a value does not fit the schema.
    """
    try:
        merged = OmegaConf.merge(
            OmegaConf.structured(defaults), _read_yaml(path), _from_overrides(overrides)
        )
        return OmegaConf.to_object(merged)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]  # what follows names omegaconf's own types
        raise ValueError(f"configuration {path or ''} {list(overrides)}: {reason}") from error


def restore_match_config(
    stored: Mapping[str, Any], overrides: Sequence[str] = (), *, source: Path
) -> MatchConfig:
    """Return the :class:`MatchConfig` that a run has written down, with some settings changed.

    Args:
        stored: Its values, as :func:`dataclasses.asdict` gives them.
        overrides: Assignments ``key=value``.
        source: Where they stand, for messages.

    Raises:
        ValueError: If a key or a value does not fit the schema.
    """
    try:
        merged = OmegaConf.merge(
            OmegaConf.structured(MatchConfig()),
            OmegaConf.create(dict(stored)),
            _from_overrides(overrides),
        )
        return OmegaConf.to_object(merged)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the settings in {source} {list(overrides)}: {reason}") from error


class Card(Protocol):
    """What a configuration takes from the card of a named model or peer."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def config(self) -> PipelineConfig:
        """Its own configuration, which gives the defaults."""


def load_match_config(
    path: str | Path | None,
    overrides: Sequence[str] = (),
    *,
    weights: str | None = None,
    find_card: Callable[[str], Card] = model_card,
) -> MatchConfig:
    """Load a :class:`MatchConfig` whose defaults are those of what it names.

    Weights that ``gluestick train`` wrote bring the configuration that they were trained with.

    Args:
        path: A YAML file, or None.
        overrides: Assignments ``key=value``.
        weights: A file of network weights, in place of the one that is named in the others.
        find_card: Returns the card of a name. If left out, only models have one;
            :func:`gluestick.catalog.matcher_card` knows peers as well.

    Returns:
        The configuration.

    Raises:
        ValueError: As :func:`load_config`, or if there is no card of the name.
    """
    named = load_config(path, overrides, defaults=_ModelChoice())
    card = find_card(named.model)
    file = weights or named.weights
    trained = TrainedModel.of_file(file) if file and card.name in MODELS else None
    name = card.name
    if trained is not None and name == DEFAULT_MODEL:  # nobody named another one
        name = trained.model or name
    defaults = MatchConfig(model=name, pipeline=trained.config if trained else card.config)
    config = load_config(path, overrides, defaults=defaults)
    return replace(config, weights=weights or config.weights)


@dataclass(frozen=True, kw_only=True)
class _ModelChoice:
    """The part of :class:`MatchConfig` that the rest depends on."""

    model: str = DEFAULT_MODEL
    weights: Any = None
    detector_weights: Any = None
    pipeline: Any = None
    geometry: Any = None
    max_error: Any = None
    homography_solver: Any = None
    fundamental_solver: Any = None


def _read_yaml(path: str | Path | None) -> DictConfig:
    if path is None:
        return OmegaConf.create({})
    try:
        content = OmegaConf.create(config_path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise ValueError(f"cannot read the configuration {path}: {error}") from error
    if not isinstance(content, DictConfig):
        raise ValueError(f"the configuration {path} needs keys and values, found {content!r}")
    return content


def _from_overrides(overrides: Sequence[str]) -> DictConfig:
    for override in overrides:
        if "=" not in override:
            raise ValueError(f"an override needs the form key=value, found {override!r}")
    try:
        return OmegaConf.from_dotlist(list(overrides))
    except (YAMLError, OmegaConfBaseException) as error:
        raise ValueError(f"the settings {' '.join(overrides)} cannot be read: {error}") from error
