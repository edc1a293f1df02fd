"""``gluestick export``: features and matches of a folder of images, in another program's files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors

if TYPE_CHECKING:
    from gluestick.pipeline import PointLineMatcher
    from gluestick.types import Wireframe

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
ENTRIES_PER_FLUSH = 20
WIREFRAMES_IN_MEMORY = 100


@one_line_errors
def export(
    format: Annotated[str, typer.Argument(help="hloc: features.h5 and matches.h5.")],
    image_dir: Annotated[Path, typer.Argument(help="The folder of images.")],
    overrides: options.Overrides = None,
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("output/export"),
    pairs: Annotated[
        Path | None, typer.Option(help="Lines of two image names; all pairs if left out.")
    ] = None,
    model: options.Model = None,
    weights: options.Weights = None,
    detector_weights: options.DetectorWeights = None,
    max_num_keypoints: options.MaxNumKeypoints = None,
    max_num_lines: options.MaxNumLines = None,
    resize: options.Resize = None,
    config: options.Config = None,
    device: options.Device = "auto",
) -> None:
    """Write the features of all images in a folder and the matches of their pairs.

    Pairs that the files already hold are left as they are, so a stopped run goes on.

    Example: gluestick export hloc photos --pairs pairs.txt --output output/export
    """
    from gluestick.cli.devices import select_device

    if format != "hloc":
        raise ValueError(f"the format needs to be hloc, found {format!r}")
    features = options.feature_overrides(
        max_num_keypoints=max_num_keypoints, max_num_lines=max_num_lines, resize=resize
    )
    settings = options.match_config(
        config,
        overrides,
        features=features,
        model=model,
        weights=weights,
        detector_weights=detector_weights,
    )
    names = _read_pairs(pairs) if pairs else list(combinations(_image_names(image_dir), 2))
    matcher = options.load_matcher(settings).to(select_device(device))
    _export_hloc(matcher, image_dir, names, output)


def _export_hloc(
    matcher: PointLineMatcher, image_dir: Path, pairs: Sequence[tuple[str, str]], output: Path
) -> None:
    from gluestick.export import FeaturesWriter, MatchesWriter, read_features_h5
    from gluestick.export.arrays import wireframe_from_arrays
    from gluestick.images.load import load_image

    features, matches = output / "features.h5", output / "matches.h5"
    console = Console(stderr=True)
    with FeaturesWriter(features) as images:
        names = [name for name in dict.fromkeys(chain(*pairs)) if name not in images]
        for count, name in enumerate(track(names, "Features", console=console), start=1):
            images.add(name, matcher.extract(load_image(image_dir / name)))
            if count % ENTRIES_PER_FLUSH == 0:
                images.flush()

    @lru_cache(maxsize=WIREFRAMES_IN_MEMORY)
    def wireframe(name: str) -> Wireframe:
        return wireframe_from_arrays(read_features_h5(features, name)).to(matcher.device)

    with MatchesWriter(matches) as writer:
        missing = [pair for pair in pairs if pair not in writer]
        for count, (name0, name1) in enumerate(track(missing, "Matches", console=console), start=1):
            pair = wireframe(name0), wireframe(name1)
            writer.add(name0, name1, *pair, matcher.match(*pair))
            if count % ENTRIES_PER_FLUSH == 0:
                writer.flush()
    typer.echo(f"Written: {features}, {matches} ({len(pairs)} pairs, {len(missing)} of them new)")


def _image_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(files) < 2:
        raise ValueError(f"{folder} needs at least two images, found {len(files)}")
    return [path.relative_to(folder).as_posix() for path in files]


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        names = line.split()
        if not names:
            continue
        if len(names) < 2:
            raise ValueError(f"{path}, line {number}: needs two image names, found {line!r}")
        pairs.append((names[0], names[1]))
    if not pairs:
        raise ValueError(f"{path} needs lines of two image names, found none")
    return list(dict.fromkeys(pairs))
