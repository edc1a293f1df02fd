"""A run of training, from its configuration to its folder."""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch

from gluestick.features.extractor import FeatureExtractor
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.line_heads.same_line import SameLineHead
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import DEFAULT_MODEL, model_card
from gluestick.storage.atomic import atomic_path
from gluestick.storage.fingerprints import weights_fingerprint
from gluestick.storage.parameters import read_parameters
from gluestick.training.examples.extraction import (
    Extraction,
    ExtractionConfig,
    FeatureStores,
    open_stores,
)
from gluestick.training.examples.feature_store import FeatureStore
from gluestick.training.examples.pairs import DataConfig
from gluestick.training.logs import Say
from gluestick.training.loop import LoopConfig, Task, run_training, training_device
from gluestick.training.optimization import OptimizationConfig
from gluestick.training.tasks.line_layers import LineLayersTask, LineLayersTaskConfig
from gluestick.training.tasks.same_line import SameLineTask, SameLineTaskConfig


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything about a run.

    Attributes:
        task: What is trained: ``same_line``, the head of the model as it is, from a cache of
            examples; or ``line_layers``, line layers and the head together, with features found
            on the fly.
        model: The model to start from.
        init: A file with some or all parameters to start from instead, or "".
        cache: The folder of what is extracted once: features of pairs, with
            ``extraction.features=cached``, and examples for the head. It is filled first where it
            lacks some.
        output: The folder of the run.
        resume: Whether to go on from the last state in that folder, if there is one.
        data: The pairs.
        extraction: How pairs become examples.
        same_line: The options of that task.
        line_layers: The options of that task.
        optimization: How weights change.
        loop: How long, and what is kept.
    """

    task: Literal["same_line", "line_layers"] = "same_line"
    model: str = DEFAULT_MODEL
    init: str = ""
    cache: str = ""
    output: str = "output/train"
    resume: bool = False
    data: DataConfig = field(default_factory=DataConfig)
    extraction: ExtractionConfig = field(default_factory=ExtractionConfig)
    same_line: SameLineTaskConfig = field(default_factory=SameLineTaskConfig)
    line_layers: LineLayersTaskConfig = field(default_factory=LineLayersTaskConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)


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
    torch.manual_seed(config.loop.seed)
    folder = Path(config.output)
    task = build_task(config, say=say)
    with atomic_path(folder / "run.json") as temporary:
        temporary.write_text(json.dumps(_record(config), indent=2) + "\n", encoding="utf-8")
    return run_training(
        task,
        folder,
        loop=config.loop,
        optimization=config.optimization,
        resume=config.resume,
        say=say,
    )


def build_task(config: TrainConfig, *, say: Say = print) -> Task:
    """Build what is trained, and fill its cache if it has one.

    Arguments and errors are those of :func:`train`.
    """
    device = training_device(config.loop)
    extraction = _extraction(config, device, say)
    rows = None
    if config.cache and (config.task == "same_line" or extraction.stores is None):
        rows = open_stores(Path(config.cache), _origin(config))
    if config.task == "line_layers":
        task = LineLayersTask(extraction, config.line_layers, cache=rows and rows[0])
        _initialize(task.network, config.init)
        return task
    if rows is None:
        raise ValueError("the task same_line needs a folder for its examples: set cache=FOLDER")
    for store, held_out in zip(rows, (False, True), strict=True):
        extraction.fill(store, device=device, held_out=held_out, say=say)
    head = SameLineHead()
    _initialize(head, config.init, prefix="line_head.")
    return SameLineTask(head, rows[0].load(), rows[1].load(), config.same_line)


def _extraction(config: TrainConfig, device: torch.device, say: Say) -> Extraction:
    """Build what makes batches, and fill its cache of features if it has one."""
    cached = config.extraction.features == "cached"
    own = model_card(config.model).config
    budget = config.extraction.max_num_keypoints if cached else max(config.data.num_keypoints)
    matcher = PointLineMatcher.from_pretrained(
        config.model,
        config=replace(own, features=replace(own.features, side_colors=True)),
        max_num_keypoints=budget,
    )
    if not cached:
        return Extraction(matcher, config.data, config.extraction)
    if not config.cache:
        raise ValueError("extraction.features=cached needs a folder: set cache=FOLDER")
    assert matcher.extractor is not None
    origin = _feature_origin(config, matcher.extractor)
    folder = Path(config.cache) / "features"
    stores = FeatureStores(*(FeatureStore(folder / name, origin) for name in FeatureStores._fields))
    extraction = Extraction(matcher, config.data, config.extraction, stores=stores)
    for held_out in (True, False):
        extraction.fill_features(device=device, held_out=held_out, say=say)
    return extraction


def _initialize(module: LightGlueStick | SameLineHead, path: str, *, prefix: str = "") -> None:
    """Load what a file has of the parameters of a module."""
    if not path:
        return
    known, state = module.state_dict(), read_parameters(path)[0]
    fitting = {
        name.removeprefix(prefix): value
        for name, value in state.items()
        if name.startswith(prefix) and name.removeprefix(prefix) in known
    }
    if not fitting:
        raise ValueError(f"{path} has none of the parameters that are trained: name another file")
    module.load_state_dict(known | {name: value.float() for name, value in fitting.items()})


def _origin(config: TrainConfig) -> dict:
    """Return what the examples in a cache depend on, apart from how many there are."""
    extraction = asdict(config.extraction)
    counts = ("num_pairs", "first_pair") if config.extraction.features == "on_the_fly" else ()
    for name in ("num_workers", "num_held_out", "part", "parts", *counts):
        del extraction[name]
    return {"model": config.model, "data": _data_origin(config.data), "extraction": extraction}


def _feature_origin(config: TrainConfig, extractor: FeatureExtractor) -> dict:
    """Return what the features in a cache depend on, apart from how many pairs there are."""
    data = _data_origin(config.data)
    for name in ("num_keypoints", "num_lines", "least_lengths"):  # those of training
        del data[name]
    return {
        "data": data,
        "extractor": asdict(extractor.config),
        "weights": weights_fingerprint(extractor),
        "max_num_lines": config.extraction.max_num_lines,
    }


def _data_origin(data: DataConfig) -> dict:
    photographs = Path(data.photographs)
    names = sorted(path.name for path in photographs.rglob("*") if path.is_file())
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    return asdict(data) | {"photographs": digest}


def _record(config: TrainConfig) -> dict:
    return {
        "config": asdict(config),
        "origin": _origin(config),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.processor() or platform.machine(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }
