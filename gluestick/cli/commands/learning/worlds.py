"""``gluestick worlds``: rendered rooms whose geometry is known, from photographs."""

from pathlib import Path
from typing import Annotated

import typer

from gluestick.cli.errors import one_line_errors
from gluestick.cli.progress import progress


@one_line_errors
def worlds(
    photographs: Annotated[Path, typer.Argument(help="A folder tree of photographs.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Further settings of PlanarWorldsConfig, such as max_baseline=0.5."),
    ] = None,
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("output/worlds"),
    num_pairs: Annotated[int, typer.Option(min=1, help="How many pairs are made.")] = 50,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Take the photographs that are never trained on.")
    ] = False,
) -> None:
    """Render pairs of pictures of rooms made of photographs, with exact depth and poses.

    Writes images, depths and pairs_with_gt.txt, which `gluestick benchmark lines3d` and `pose`
    read, and `gluestick train` with data.posed_folder.

    Example: gluestick worlds PHOTOS --num-pairs 20 --output output/worlds
    """
    from gluestick.cli.outputs import check_output
    from gluestick.config import load_config
    from gluestick.datasets.photograph_pool import PhotographPool
    from gluestick.datasets.worlds import PlanarWorlds, PlanarWorldsConfig
    from gluestick.datasets.worlds.scene_folder import write_worlds

    config = load_config(None, overrides or [], defaults=PlanarWorldsConfig())
    pool = PhotographPool.in_folder(photographs, held_out=held_out)
    check_output(output, ["pairs_with_gt.txt"])
    numbers = progress(range(num_pairs), "Rendering")
    path = write_worlds(output, PlanarWorlds(pool, config), numbers)
    typer.echo(f"Data: {output}; gluestick benchmark lines3d {output}")
    typer.echo(f"Written: {num_pairs} pairs, listed in {path}")
