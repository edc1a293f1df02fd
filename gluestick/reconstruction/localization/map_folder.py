"""Where the model lies in which queries are localized; made of a COLMAP model where need be."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from gluestick.datasets.posed.formats.colmap_model import find_colmap_model
from gluestick.export.folder_images import Progress, no_progress
from gluestick.pipeline import PointLineMatcher
from gluestick.reconstruction.folder import reconstruct
from gluestick.reconstruction.inputs import ReconstructionConfig, ReconstructionInputs
from gluestick.reconstruction.localization.scene_map import FEATURES, MODEL
from gluestick.reconstruction.mapping import MappingConfig
from gluestick.storage.atomic import atomic_path

RETRIEVAL = "retrieval.h5"
RUN = "run.json"


@dataclass(frozen=True, kw_only=True)
class MapFolder:
    """A model with its features and photographs.

    Attributes:
        folder: It has ``features.h5`` and ``sparse/0``, as :func:`reconstruct` wrote them.
        image_dir: The photographs.
        descriptors: The file with the descriptors of whole photographs, in the folder of results.
    """

    folder: Path
    image_dir: Path
    descriptors: Path


def is_reconstruction(model: Path) -> bool:
    """Tell whether a folder is one that :func:`gluestick.reconstruction.reconstruct` wrote."""
    return (model / FEATURES).is_file() and find_colmap_model(model / MODEL) is not None


def prepare_map(
    matcher: PointLineMatcher,
    model: Path,
    output: Path,
    *,
    matcher_name: str,
    image_dir: Path | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = no_progress,
) -> MapFolder:
    """Find the model, or make one that knows the matcher's features.

    The points of a COLMAP model of other features are found anew, its cameras and poses are kept:
    :func:`gluestick.reconstruction.reconstruct` does that in ``map/`` in the folder of results.

    Args:
        matcher: It finds and matches points and lines.
        model: The folder of a reconstruction, or of a COLMAP model.
        output: The folder for the results.
        matcher_name: The name of the matcher.
        image_dir: The photographs of the model; where ``run.json`` says, if left out.
        seed: Of all that is drawn at random.
        threads: Processors.
        progress: Shows how far it is.

    Returns:
        The folders.

    Raises:
        ValueError: If there is no model, its photographs are not found, or nothing of it can be
            triangulated.
        OSError: If a file cannot be written.
        ImportError: If pycolmap is missing.
    """
    if is_reconstruction(model):
        photographs, folder = image_dir or _photographs(model), model
        if not photographs.is_dir():
            raise ValueError(
                f"the photographs of {model} are not in {photographs}: name their folder with "
                "--images"
            )
    else:
        if find_colmap_model(model) is None:
            raise ValueError(
                f"{model} needs to be the output of gluestick reconstruct or a COLMAP model, "
                "found neither"
            )
        if image_dir is None:
            raise ValueError(f"{model} is a COLMAP model: name its photographs with --images")
        photographs, folder = image_dir, output / "map"
        reconstruct(
            matcher,
            ReconstructionInputs(image_dir=image_dir, output=folder, model=model),
            model=matcher_name,
            config=ReconstructionConfig(mapping=MappingConfig(seed=seed, threads=threads)),
            progress=progress,
        )
    descriptors = output / RETRIEVAL
    if not descriptors.exists() and (folder / RETRIEVAL).is_file():
        with atomic_path(descriptors) as temporary:
            shutil.copyfile(folder / RETRIEVAL, temporary)
    return MapFolder(folder=folder, image_dir=photographs, descriptors=descriptors)


def _photographs(model: Path) -> Path:
    try:
        return Path(json.loads((model / RUN).read_text(encoding="utf-8"))["photographs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{model} does not say where its photographs are: name their folder with --images"
        ) from error
