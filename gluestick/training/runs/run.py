"""A run of training, from its configuration to its folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gluestick.matching.checkpoints import (
    is_lightglue,
    lightgluestick_from_lightglue,
    read_checkpoint,
)
from gluestick.matching.line_heads.same_line import SameLineHead
from gluestick.pipeline import PointLineMatcher
from gluestick.pipeline_config import PipelineConfig, TrainedModel
from gluestick.pretrained import model_card, with_detector_weights
from gluestick.storage.atomic import atomic_path
from gluestick.training.config import TrainConfig
from gluestick.training.examples.extraction import Extraction, FeatureStores, open_stores
from gluestick.training.examples.feature_store import FeatureStore
from gluestick.training.loop import Task, launch_loop, run_training
from gluestick.training.runs.checkpoints import WeightsWriter
from gluestick.training.runs.logs import Say
from gluestick.training.runs.run_record import features_origin, rows_origin, run_record
from gluestick.training.tasks.line_layers import LineLayersTask
from gluestick.training.tasks.matching import gluestick_task, points_task
from gluestick.training.tasks.same_line import SameLineTask
from gluestick.wireframe.build import WireframeConfig

_SAME_LINE_THRESHOLD = 0.45
_HEAD = "line_head."


@dataclass(frozen=True, kw_only=True)
class _Training:
    """A task, and what its weights are used with.

    Attributes:
        task: The task.
        pipeline: The pipeline that its weights belong to.
        base: The state of the shipped network that its weights are a part of; empty where there
            is none.
        others: Parameters that are not trained and belong to its weights.
    """

    task: Task
    pipeline: PipelineConfig
    base: Mapping[str, Tensor] = field(default_factory=dict)
    others: Mapping[str, Tensor] = field(default_factory=dict)


def train(config: TrainConfig, *, say: Say = print) -> bool:
    """Train.

    Args:
        config: The options.
        say: Shows a line.

    Returns:
        Whether all steps are done; otherwise the time was up, and ``resume`` goes on.

    Raises:
        ValueError: If options or files do not fit, or there is nothing to train on.
    """
    fabric = launch_loop(config.loop)
    if fabric.world_size > 1:  # each fills its share of the caches
        share = {"part": fabric.global_rank, "parts": fabric.world_size}
        config = replace(config, extraction=replace(config.extraction, **share))
    if not fabric.is_global_zero:
        say = _silent
    torch.manual_seed(config.loop.seed)
    folder = Path(config.output)
    training = _prepare(config, fabric, say)
    if fabric.is_global_zero:
        with atomic_path(folder / "run.json") as temporary:
            text = json.dumps(run_record(config), indent=2)
            temporary.write_text(text + "\n", encoding="utf-8")
    return run_training(
        training.task,
        folder,
        loop=config.loop,
        optimization=config.optimization,
        fabric=fabric,
        write=_writer(config, training),
        resume=config.resume,
        say=say,
    )


def build_task(config: TrainConfig, *, say: Say = print) -> Task:
    """Build what is trained, and fill its cache if it has one.

    Arguments and errors are those of :func:`train`.
    """
    return _prepare(config, launch_loop(config.loop), say).task


def _silent(text: str) -> None:
    """Show nothing."""


def _writer(config: TrainConfig, training: _Training) -> WeightsWriter:
    base = config.model if training.base else ""
    trained = TrainedModel(config=training.pipeline, model=config.model, base=base)
    return WeightsWriter(half=config.loop.half, others=training.others, metadata=trained.metadata())


def _prepare(config: TrainConfig, fabric: Any, say: Say) -> _Training:
    if config.task == "same_line" and not config.cache:
        raise ValueError("the task same_line needs a folder for its examples: set cache=FOLDER")
    own = _own_pipeline(config)
    extraction = _build_extraction(config, own, fabric, say)
    base: dict[str, Tensor] = {}
    if model_card(config.model).shipped and not config.weights:
        base = {name: value.clone() for name, value in extraction.network.state_dict().items()}
    if config.task == "gluestick":
        gluestick = gluestick_task(extraction, config.gluestick)
        _initialize(gluestick.network, config.init)
        pipeline = replace(own, network="gluestick", gluestick=config.gluestick.network)
        return _Training(task=gluestick, pipeline=pipeline)
    if config.task == "points":
        _initialize(extraction.network, config.init)
        points = points_task(extraction, config.points)
        pipeline = replace(own, lightgluestick=own.lightgluestick.uncalibrated)
        return _Training(task=points, pipeline=pipeline)
    rows = None
    if config.cache and (config.task == "same_line" or extraction.stores is None):
        rows = open_stores(Path(config.cache), rows_origin(config))
    if config.task == "line_layers":
        layers = LineLayersTask(extraction, config.line_layers, cache=rows and rows[0])
        _initialize(layers.network, config.init)
        pipeline = replace(
            _with_side_colors(own), lightgluestick=layers.network.config.uncalibrated
        )
        others = _differing(layers.network, base)
        return _Training(task=layers, pipeline=pipeline, base=base, others=others)
    assert rows is not None
    for store, held_out in zip(rows, (False, True), strict=True):
        extraction.fill(store, device=fabric.device, held_out=held_out, say=say)
    fabric.barrier()
    head = SameLineHead()
    _initialize(head, config.init, prefix=_HEAD)
    task = SameLineTask(head, rows[0].load(), rows[1].load(), config.same_line)
    network = replace(own.lightgluestick, line_head="same_line")
    if own.lightgluestick.line_head != network.line_head:
        network = replace(network, line_filter_threshold=_SAME_LINE_THRESHOLD)
    others = {
        name: value
        for name, value in _differing(extraction.network, base).items()
        if not name.startswith(_HEAD)
    }
    pipeline = replace(_with_side_colors(own), lightgluestick=network)
    return _Training(task=task, pipeline=pipeline, base=base, others=others)


def _own_pipeline(config: TrainConfig) -> PipelineConfig:
    """Return the pipeline that is started from, with the line detector of the pairs."""
    trained = TrainedModel.of_file(config.weights) if config.weights else None
    own = trained.config if trained else model_card(config.model).config
    if config.detector_weights:
        own = with_detector_weights(own, config.detector_weights)
    if config.task == "gluestick":
        own = replace(
            own, wireframe=WireframeConfig(keypoint_radius=config.gluestick.keypoint_radius)
        )
    lines = replace(own.features.lines, name=config.data.line_detector)
    return replace(own, features=replace(own.features, lines=lines))


def _build_extraction(
    config: TrainConfig, own: PipelineConfig, fabric: Any, say: Say
) -> Extraction:
    """Build what makes batches, and fill its cache of features if it has one."""
    cached = config.extraction.features == "cached"
    budget = config.extraction.max_num_keypoints if cached else max(config.data.num_keypoints)
    matcher = PointLineMatcher.from_pretrained(
        config.model,
        weights=config.weights or None,
        config=replace(own, features=replace(own.features, side_colors=True)),
        max_num_keypoints=budget,
    )
    if not cached:
        return Extraction(matcher, config.data, config.extraction)
    if not config.cache:
        raise ValueError("extraction.features=cached needs a folder: set cache=FOLDER")
    if own.wireframe.keypoint_radius is not None:
        raise ValueError(
            "extraction.features=cached keeps all keypoints: set gluestick.keypoint_radius=null"
        )
    if matcher.extractor is None:
        raise ValueError(f"{config.model} needs detector_weights=FILE to find features")
    origin = features_origin(config, matcher.extractor)
    folder = Path(config.cache) / "features"
    stores = FeatureStores(*(FeatureStore(folder / name, origin) for name in FeatureStores._fields))
    extraction = Extraction(matcher, config.data, config.extraction, stores=stores)
    for held_out in (True, False):
        extraction.fill_features(device=fabric.device, held_out=held_out, say=say)
    fabric.barrier()
    for store in stores:
        store.refresh()
    return extraction


def _with_side_colors(own: PipelineConfig) -> PipelineConfig:
    return replace(own, features=replace(own.features, side_colors=True))


def _initialize(module: nn.Module, path: str, *, prefix: str = "") -> None:
    """Load what a file has of the parameters of a module.

    Raises:
        ValueError: If it has none, or one of another shape.
    """
    if not path:
        return
    known, state = module.state_dict(), read_checkpoint(Path(path))[0]
    if is_lightglue(state):
        state = lightgluestick_from_lightglue(state)
    fitting = {
        name.removeprefix(prefix): value
        for name, value in state.items()
        if name.startswith(prefix) and name.removeprefix(prefix) in known
    }
    if not fitting:
        raise ValueError(f"{path} has none of the parameters that are trained: name another file")
    for name, value in fitting.items():
        if value.shape != known[name].shape:
            raise ValueError(
                f"{path} has {name} {list(value.shape)}, and {list(known[name].shape)} is needed: "
                "set the sizes that it was trained with, or name another file"
            )
    module.load_state_dict(known | fitting)


def _differing(network: nn.Module, base: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the parameters of a network that a shipped one does not have like that."""
    return {
        name: value.detach().clone()
        for name, value in network.state_dict().items()
        if name not in base or not torch.equal(value, base[name])
    }
