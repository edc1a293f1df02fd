"""What is found in a pair, as a table on the console."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from gluestick.pair_geometry import PairGeometry
from gluestick.pair_run.summary import Count, verdict_sentence


def print_summary(
    counts: list[Count],
    estimate: PairGeometry,
    *,
    asked: str,
    seconds: Mapping[str, float],
) -> None:
    """Print the table, the verdict and the seconds."""
    model = estimate.geometry if estimate.geometry != "none" else asked
    table = Table("", "image 0", "image 1", "matched", f"inliers ({model})")
    for count in counts:
        inliers = "-" if count.inliers is None else str(count.inliers)
        table.add_row(count.kind, *map(str, count.found), str(count.matched), inliers)
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(verdict_sentence(estimate, asked), highlight=False)
    stages = ", ".join(f"{stage} {value:.2f}" for stage, value in seconds.items())
    console.print(f"Seconds: {stages}")
