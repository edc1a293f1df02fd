"""``gluestick data``: fetch a public data set."""

from inspect import cleandoc
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from gluestick.cli.errors import one_line_errors
from gluestick.datasets.public_sets.registry import (
    PUBLIC_DATASETS,
    PublicDataset,
    fetch_dataset,
    public_dataset,
)


@one_line_errors
def data(
    name: Annotated[str, typer.Argument(help=", ".join(PUBLIC_DATASETS) + ".")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to put it in.")],
    accept_terms: Annotated[
        bool,
        typer.Option(
            "--accept-terms", help="Say that you have agreed with the owners on their terms."
        ),
    ] = False,
) -> None:
    """Fetch a public data set and unpack it.

    A stopped transfer goes on where it was. Checksums are verified where they are published,
    and recorded in DIR/SHA256SUMS.

    Example: gluestick data hpatches data
    """
    dataset = public_dataset(name)
    typer.echo(_description(dataset), err=True)
    if dataset.needs_agreement and not accept_terms:
        raise ValueError(
            f"{name} is for those who have agreed to its terms with the owners ({dataset.page}): "
            "if you have, add --accept-terms"
        )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Fetching", total=None)

        def report(title: str, done: int, total: int | None) -> None:
            progress.update(task, description=title, completed=done, total=total)

        target = fetch_dataset(dataset, folder, report=report)
    typer.echo(f"Data: {target}; gluestick benchmark {dataset.benchmark}")


def _description(dataset: PublicDataset) -> str:
    return (
        f"{dataset.name}: {dataset.summary}; {dataset.size}\n"
        f"    terms: {dataset.terms} ({dataset.page})\n"
        f"    read by: benchmark {dataset.benchmark}"
    )


# A backspace on a line of its own keeps the lines below it as they are.
_TERMS = "\n".join(map(_description, PUBLIC_DATASETS.values()))
data.__doc__ = f"{cleandoc(data.__doc__ or '')}\n\n\b\n{_TERMS}"
