"""Configurations that come with the package, by their names."""

from importlib import resources
from pathlib import Path

KINDS = ("match", "benchmark")
"""The folders of presets, by what they configure."""


def preset_folder() -> Path:
    """Return the folder of the presets: in the package, or beside it in a checkout."""
    inside = Path(str(resources.files("gluestick"))) / "configs"
    return inside if inside.is_dir() else inside.parent.parent / "configs"


def preset_names(kind: str) -> list[str]:
    """Return the names of the presets of a kind, such as "match"."""
    return sorted(path.stem for path in (preset_folder() / kind).glob("*.yaml"))


def config_path(path_or_name: str | Path) -> Path:
    """Return the file that is meant: the one at a path, or a preset by its name.

    Args:
        path_or_name: The path of a YAML file, or a name such as "quick".

    Raises:
        ValueError: If it is a name without ending, and neither a file nor a preset.
    """
    path = Path(path_or_name)
    if path.exists() or path.suffix or len(path.parts) != 1:
        return path
    for kind in KINDS:
        preset = preset_folder() / kind / f"{path}.yaml"
        if preset.is_file():
            return preset
    names = "; ".join(f"{kind}: {', '.join(preset_names(kind))}" for kind in KINDS)
    raise ValueError(f"there is no file and no preset {path}; presets are for {names}")
