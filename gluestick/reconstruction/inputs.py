"""What a reconstruction is made from, and the options that decide it."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from gluestick.datasets.photographs import list_photographs
from gluestick.datasets.posed.formats.colmap_model import find_colmap_model, read_colmap_model
from gluestick.export.folder_images import NamePair
from gluestick.export.views.folder import ViewBudget
from gluestick.images.load import load_image
from gluestick.reconstruction.colmap.images import CameraOptions
from gluestick.reconstruction.colmap.verification import Verification
from gluestick.reconstruction.known_cameras import (
    KnownCamera,
    cameras_of_model,
    read_known_cameras,
)
from gluestick.reconstruction.lines.line_map import LineMapConfig
from gluestick.reconstruction.mapping import MappingConfig
from gluestick.reconstruction.outcome import Record, write_json
from gluestick.reconstruction.pairs.selection import PairsConfig
from gluestick.reconstruction.refinement.model import RefinementConfig

_SETTINGS = "settings.json"


@dataclass(frozen=True, kw_only=True)
class ReconstructionConfig:
    """Options of a reconstruction.

    Attributes:
        pairs: Which pairs are matched.
        views: For how many of them further views are searched.
        cameras: How cameras are read from photographs.
        junctions: Whether matches of line junctions are among the points' matches.
        verification: Who verifies matches.
        mapping: How models are made.
        refinement: How keypoints are refined along tracks; None to leave them as detected.
        lines: How the line map is made; None for none.
    """

    pairs: PairsConfig = field(default_factory=PairsConfig)
    views: ViewBudget = field(default_factory=ViewBudget)
    cameras: CameraOptions = field(default_factory=CameraOptions)
    junctions: bool = False
    verification: Verification = "colmap"
    mapping: MappingConfig = field(default_factory=MappingConfig)
    refinement: RefinementConfig | None = field(default_factory=RefinementConfig)
    lines: LineMapConfig | None = field(default_factory=LineMapConfig)

    def __post_init__(self) -> None:
        if self.verification not in get_args(Verification):
            raise ValueError(
                f"verification needs to be {' or '.join(get_args(Verification))}, found "
                f"{self.verification!r}"
            )


@dataclass(frozen=True, kw_only=True)
class ReconstructionInputs:
    """What a reconstruction is made from.

    Attributes:
        image_dir: The folder of photographs.
        output: The folder for the results.
        pairs_file: A list of pairs in place of ``pairs`` of the options, or None.
        mask_dir: A folder with a mask ``NAME.png`` for each photograph or some, or None.
        cameras: Known cameras (see :mod:`gluestick.reconstruction.known_cameras`), or None.
        model: The folder of a COLMAP model whose poses are kept, or None.
        database: A COLMAP database to extend, or None for one in the folder of results.
    """

    image_dir: Path
    output: Path
    pairs_file: Path | None = None
    mask_dir: Path | None = None
    cameras: Path | None = None
    model: Path | None = None
    database: Path | None = None

    @property
    def database_file(self) -> Path:
        """The COLMAP database, which may not exist yet."""
        return self.database or self.output / "database.db"


@dataclass(frozen=True, kw_only=True)
class Given:
    """What is known before anything is computed.

    Attributes:
        names: The photographs of the folder.
        posed: A ``pycolmap.Reconstruction`` whose poses are kept, or None.
        known: The known cameras by name.
    """

    names: Sequence[str]
    posed: Any
    known: Mapping[str, KnownCamera]

    def within(self, pairs: Sequence[NamePair]) -> list[NamePair]:
        """Return the pairs of which both photographs can be in a model."""
        if self.posed is None:
            return list(pairs)
        names = self._posed_names()
        return [pair for pair in pairs if names.issuperset(pair)]

    def left_out(
        self, image_dir: Path, skipped: Mapping[str, str], paired: Collection[str]
    ) -> dict[str, str]:
        """Return why photographs take no part.

        Args:
            image_dir: The folder of photographs.
            skipped: Why, of those that could not be matched.
            paired: The photographs that are in a pair.

        Returns:
            Why, by name.
        """
        left_out = dict(skipped)
        if self.posed is not None:
            others = set(self.names) - self._posed_names()
            left_out |= dict.fromkeys(others, "the posed model lacks it")
        for name in self.names:
            if name in paired or name in left_out:
                continue
            try:
                load_image(image_dir / name)
            except (ValueError, OSError) as error:
                left_out[name] = str(error)
        return left_out

    def _posed_names(self) -> set[str]:
        return {image.name for image in self.posed.images.values() if image.has_pose}


def read_given(inputs: ReconstructionInputs) -> Given:
    """Read what is known before anything is computed.

    Raises:
        ValueError: If a folder or a file is missing or damaged, or does not fit the photographs.
        ImportError: If a COLMAP model is to be read and pycolmap is missing.
    """
    names = list_photographs(inputs.image_dir)
    if inputs.cameras is not None and inputs.model is not None:
        raise ValueError("a posed model has its own cameras: leave out --cameras or --model")
    if inputs.cameras is not None:
        known = read_known_cameras(inputs.cameras, names)
        return Given(names=names, posed=None, known=known)
    if inputs.model is None:
        return Given(names=names, posed=None, known={})
    model = find_colmap_model(inputs.model)
    if model is None:
        raise ValueError(f"{inputs.model} needs the files of a COLMAP model, found none")
    posed = read_colmap_model(model)
    wanted = set(names)
    known = {name: each for name, each in cameras_of_model(posed).items() if name in wanted}
    if not known:
        raise ValueError(f"the model in {model} has none of the {len(names)} photographs")
    return Given(names=names, posed=posed, known=known)


def database_settings(given: Given, config: ReconstructionConfig) -> Record:
    """Return what decides, besides features and matches, what is in the database."""
    return {
        "junctions": config.junctions,
        "verification": config.verification,
        "cameras": asdict(config.cameras),
        "known_cameras": {name: [each.model, *each.params] for name, each in given.known.items()},
    }


def check_settings(inputs: ReconstructionInputs, settings: Record) -> None:
    """Check that a database that is there comes from a run with the same settings.

    Raises:
        ValueError: If not; the message says which differ.
    """
    if not inputs.database_file.is_file():
        return
    found = _stored_settings(inputs).get(_key(inputs), {})
    needed = json.loads(json.dumps(settings))
    differ = [key for key in needed if found and found.get(key) != needed[key]]
    if differ:
        raise ValueError(
            f"{inputs.database_file} is the database of another run ({', '.join(differ)} differ): "
            "name another file with --database, or choose another output folder"
        )


def write_settings(inputs: ReconstructionInputs, settings: Record) -> None:
    """Write the settings of a run, beside those of runs with other databases."""
    write_json(
        inputs.output / _SETTINGS, {**_stored_settings(inputs), _key(inputs): dict(settings)}
    )


def _stored_settings(inputs: ReconstructionInputs) -> Record:
    """Return the settings of earlier runs by their databases."""
    path = inputs.output / _SETTINGS
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged: remove it") from error


def _key(inputs: ReconstructionInputs) -> str:
    path, folder = inputs.database_file.resolve(), inputs.output.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
