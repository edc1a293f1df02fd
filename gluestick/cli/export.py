"""``gluestick export``: features and matches of a folder of images, in another program's files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
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
    from gluestick.datasets.pair_lists import all_pairs, read_pairs
    from gluestick.pipeline import PointLineMatcher

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
    names = read_pairs(pairs) if pairs else all_pairs(image_dir)
    matcher = options.load_matcher(settings).to(select_device(device))
    if not isinstance(matcher, PointLineMatcher):
        raise ValueError(
            f"{settings.model} takes both images of a pair at once and has no features of single "
            "images to write: choose another model"
        )
    _export_hloc(matcher, image_dir, names, output)


def _export_hloc(
    matcher: PointLineMatcher, image_dir: Path, pairs: Sequence[tuple[str, str]], output: Path
) -> None:
    from gluestick.export import FeaturesReader, FeaturesWriter, MatchesWriter
    from gluestick.export.arrays import wireframe_from_arrays
    from gluestick.images.load import load_image

    features, matches = output / "features.h5", output / "matches.h5"
    console = Console(stderr=True)
    with FeaturesWriter(features) as images:
        missing_images = [name for name in dict.fromkeys(chain(*pairs)) if name not in images]
        for name in track(missing_images, "Features", console=console):
            images.add(name, matcher.extract(load_image(image_dir / name)))
            images.flush()

    with FeaturesReader(features) as stored, MatchesWriter(matches) as writer:

        @lru_cache(maxsize=WIREFRAMES_IN_MEMORY)
        def wireframe(name: str) -> Wireframe:
            return wireframe_from_arrays(stored.read(name)).to(matcher.device)

        missing = [pair for pair in pairs if pair not in writer]
        for name0, name1 in track(missing, "Matches", console=console):
            pair = wireframe(name0), wireframe(name1)
            writer.add(name0, name1, *pair, matcher.match(*pair))
            writer.flush()
    typer.echo(f"Written: {features}, {matches} ({len(pairs)} pairs, {len(missing)} of them new)")
