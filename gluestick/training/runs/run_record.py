"""What a run, and what it keeps on disk, depends on."""

import hashlib
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from gluestick.features.extractor import FeatureExtractor
from gluestick.storage.fingerprints import file_fingerprint, weights_fingerprint
from gluestick.training.config import TrainConfig
from gluestick.training.examples.pairs import DataConfig

_PACKAGES = ("torch", "numpy", "kornia", "opencv-contrib-python-headless", "lightning-fabric")


def run_record(config: TrainConfig) -> dict[str, Any]:
    """Return what ``run.json`` holds.

    Args:
        config: The resolved configuration.

    Returns:
        The configuration, a fingerprint of the data, the commit of the package where it lies in
        a repository, versions, and the machine.
    """
    return {
        "config": asdict(config),
        "data": data_origin(config.data),
        "commit": _commit(),
        "environment": {name: _version(name) for name in ("gluestick-matching", *_PACKAGES)},
        "python": platform.python_version(),
        "machine": platform.processor() or platform.machine(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }


def rows_origin(config: TrainConfig) -> dict[str, Any]:
    """Return what the examples in a cache depend on, apart from how many there are."""
    extraction = asdict(config.extraction)
    counts = ("num_pairs", "first_pair") if config.extraction.features == "on_the_fly" else ()
    for name in ("num_workers", "num_held_out", "part", "parts", *counts):
        del extraction[name]
    return {
        "model": config.model,
        "weights": [
            file_fingerprint(path) for path in (config.weights, config.detector_weights) if path
        ],
        "data": data_origin(config.data),
        "extraction": extraction,
    }


def features_origin(config: TrainConfig, extractor: FeatureExtractor) -> dict[str, Any]:
    """Return what the features in a cache depend on, apart from how many pairs there are."""
    data = data_origin(config.data)
    for name in ("num_keypoints", "num_lines", "least_lengths"):  # those of training
        del data[name]
    return {
        "data": data,
        "extractor": asdict(extractor.config),
        "weights": weights_fingerprint(extractor),
        "max_num_lines": config.extraction.max_num_lines,
    }


def data_origin(data: DataConfig) -> dict[str, Any]:
    """Return the options of the pairs, with folders replaced by fingerprints of their files."""
    folders = {name: getattr(data, name) for name in ("photographs", "posed_folder")}
    return asdict(data) | {name: _fingerprint(folder) for name, folder in folders.items()}


def _fingerprint(folder: str) -> str:
    """Return digits that change with the names and sizes of the files of a folder, or ""."""
    if not folder:
        return ""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    lines = sorted(f"{path.name} {path.stat().st_size}" for path in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit of the package's own repository, with ``+`` behind it if it was changed."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno"))
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}+" if changes else commit
