"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import torch

    from gluestick.config import MatchConfig
    from gluestick.export.workers.protocol import Workers
    from gluestick.matching.protocols import Matcher

Model = Annotated[
    str | None,
    typer.Option(help="A model or a peer; see `gluestick models`.", show_default="aliked-lsd"),
]
Weights = Annotated[
    str | None,
    typer.Option(help="Network weights, for models that do not ship them.", show_default="none"),
]
DetectorWeights = Annotated[
    str | None,
    typer.Option(
        help="Point detector weights, for models that do not ship them.", show_default="none"
    ),
]
LineDetector = Annotated[str | None, typer.Option(help="lsd, edlines or none.", show_default="lsd")]
MaxNumKeypoints = Annotated[
    int | None, typer.Option(help="Keep the strongest keypoints.", show_default="1024")
]
MaxNumLines = Annotated[
    int | None, typer.Option(help="Keep the best line segments.", show_default="250")
]
KeypointBudget = Annotated[int | None, typer.Option(help="Keep the strongest keypoints.")]
LineBudget = Annotated[int | None, typer.Option(help="Keep the best line segments.")]
MinLength = Annotated[
    float | None, typer.Option(help="Shortest line segment, px.", show_default="15")
]
DetectionThreshold = Annotated[
    float | None, typer.Option(help="Lowest keypoint score.", show_default="the detector's")
]
NmsRadius = Annotated[
    int | None,
    typer.Option(help="Least distance between keypoints, px.", show_default="the detector's"),
]
Resize = Annotated[
    int | None,
    typer.Option(
        help="Detect at this long side, px; 0 for the original size.", show_default="1024"
    ),
]
WorkerKind = Annotated[
    str,
    typer.Option(
        "--workers",
        help="Who finds features and matches: local (this process) or ray (a Ray cluster).",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        help="A running Ray cluster, HOST:PORT or auto.", show_default="one of this machine's CPUs"
    ),
]
Tiles = Annotated[
    int | None,
    typer.Option(
        help="Detect keypoints in tiles of this side, px, at the original size unless a long side "
        "is named.",
        show_default="whole images",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        help="Bytes to stay below, such as 4GB, by detecting keypoints in tiles where an image "
        "would need more; auto for what is free; or none.",
        show_default="auto",
    ),
]
View = Annotated[
    str | None,
    typer.Option(
        help="Find how the images lie to each other: auto (turn, zoom and tilt), turn, exhaustive "
        "or none.",
        show_default="auto; none for peers",
    ),
]
FolderView = Annotated[
    str | None,
    typer.Option(
        help="Turn photographs so that all agree (turn; turns also searches), and match pairs that "
        "match next to nothing in further views (auto; exhaustive also searches turns), or none.",
        show_default="auto; none for peers",
    ),
]
ViewSearches = Annotated[
    int,
    typer.Option(
        help="For how many pairs of a photograph further views are searched, where few match."
    ),
]
Rotation = Annotated[
    str | None,
    typer.Option(
        help="The same for turns alone: auto, exhaustive or none.", show_default="what --view says"
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(help="A preset, such as quick, or a YAML file.", show_default="none"),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Threads = Annotated[
    int | None,
    typer.Option(help="Processors to use.", show_default="those without other work"),
]
FeatureOverrides = Annotated[
    list[str] | None, typer.Argument(help="Further settings, such as resize.side=short.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="Further settings, such as pipeline.wireframe.junction_radius=2."),
]


def feature_overrides(
    *,
    detector: str | None = None,
    line_detector: str | None = None,
    max_num_keypoints: int | None = None,
    max_num_lines: int | None = None,
    min_length: float | None = None,
    detection_threshold: float | None = None,
    nms_radius: int | None = None,
    resize: int | None = None,
    tiles: int | None = None,
) -> list[str]:
    """Return the overrides of a feature extractor that the given options stand for."""
    if tiles is not None and resize is None:
        resize = 0
    values = {
        "points.name": detector,
        "lines.name": line_detector,
        "points.max_num_keypoints": max_num_keypoints,
        "lines.max_num_lines": max_num_lines,
        "lines.min_length": min_length,
        "points.detection_threshold": detection_threshold,
        "points.nms_radius": nms_radius,
        "resize.size": "null" if resize == 0 else resize,
        "tiles.size": tiles,
    }
    return [f"{key}={value}" for key, value in values.items() if value is not None]


def check_one_view(view: str | None, rotation: str | None) -> None:
    """Check that views are named in one way.

    Raises:
        ValueError: If not.
    """
    if view is not None and rotation is not None:
        raise ValueError("--view and --rotation name the same: use one of them")


def match_config(
    path: Path | None,
    overrides: Sequence[str] | None,
    *,
    model: str | None,
    weights: str | None,
    detector_weights: str | None,
    features: Sequence[str] = (),
    view: str | None = None,
    rotation: str | None = None,
    **settings: str | float | None,
) -> MatchConfig:
    """Return the configuration that a file, overrides and options stand for.

    Args:
        path: A YAML file, or None.
        overrides: Assignments ``key=value``.
        model: The name of a model, or None.
        weights: A file of network weights, or None.
        detector_weights: A file of detector weights, or None.
        features: Overrides of the feature extractor.
        view: In which views images are seen, or None.
        rotation: The same by the names for turns alone, or None.
        **settings: Further fields of :class:`MatchConfig`; None keeps a field.

    Raises:
        ValueError: If something does not fit the schema.
    """
    from gluestick.catalog import matcher_card
    from gluestick.config import load_match_config

    check_one_view(view, rotation)
    fields = {"model": model, "pipeline.view": view, "pipeline.rotation": rotation, **settings}
    named = [f"{key}={value}" for key, value in fields.items() if value is not None]
    named += [f"pipeline.features.{override}" for override in features]
    config = load_match_config(
        path, [*named, *(overrides or ())], weights=weights, find_card=matcher_card
    )
    return replace(config, detector_weights=detector_weights or config.detector_weights)


def within_memory(
    config: MatchConfig,
    images: Iterable[Path],
    *,
    memory: str | None,
    device: torch.device,
    one_by_one: bool = False,
) -> MatchConfig:
    """Return a configuration with which images fit into memory.

    Arguments and errors are those of :func:`gluestick.cli.memory.fit_memory`.
    """
    from gluestick.cli.memory import fit_memory
    from gluestick.peers.vismatch import PREFIX as VISMATCH_PREFIX
    from gluestick.pretrained import MODELS

    features = fit_memory(
        config.pipeline.features,
        images,
        memory=memory,
        device=device,
        divisible=not config.model.startswith(VISMATCH_PREFIX),
        one_by_one=one_by_one,
        matched_by=config.pipeline if config.model in MODELS else None,
    )
    if config.model not in MODELS and memory not in (None, "auto", "none"):
        typer.echo(
            f"gluestick: --memory does not count what {config.model} takes to match, which is not "
            "known",
            err=True,
        )
    return replace(config, pipeline=replace(config.pipeline, features=features))


def load_matcher(config: MatchConfig) -> Matcher:
    """Load the matcher that a configuration names.

    Raises:
        ValueError: If weights are missing or do not fit.
    """
    from gluestick.catalog import load_matcher as load_named_matcher

    return load_named_matcher(
        config.model,
        weights=config.weights,
        detector_weights=config.detector_weights,
        config=config.pipeline,
    )


def matcher_names(model: str, peers: str) -> list[str]:
    """Return a model and its peers, each once.

    Args:
        model: The name of a model or peer.
        peers: More names, separated by commas; ``all`` stands for every peer.

    Raises:
        ValueError: If there is no such model or peer.
    """
    from gluestick.catalog import matcher_card
    from gluestick.peers import PEERS

    named = [name.strip() for name in peers.split(",") if name.strip()]
    groups = ([*PEERS] if name == "all" else [name] for name in named)
    names = list(dict.fromkeys([model, *(name for group in groups for name in group)]))
    for name in names:
        matcher_card(name)
    return names


def make_workers(kind: str, *, address: str | None) -> Workers:
    """Return who finds features and matches.

    Raises:
        ValueError: If there is no such kind, an address is given without a cluster, or nobody
            answers there.
        ImportError: If Ray is missing.
    """
    from gluestick.export.workers.cluster import RayWorkers
    from gluestick.export.workers.local import LocalWorkers

    if kind not in ("local", "ray"):
        raise ValueError(f"--workers needs to be local or ray, found {kind!r}")
    if kind == "local" and address is not None:
        raise ValueError("--ray-address needs --workers ray")
    return LocalWorkers() if kind == "local" else RayWorkers(address)
