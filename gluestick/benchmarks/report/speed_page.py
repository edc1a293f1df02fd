"""The page of speed: the seconds of every stage in tables and as bars."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gluestick.benchmarks.report.plots import plot_stacked
from gluestick.benchmarks.report.tables import markdown_table
from gluestick.benchmarks.run.stage_speed import Case, StageSpeeds, median_and_spread
from gluestick.storage.atomic import atomic_path

_SECONDS = {
    "processor": "Processor seconds, of all threads together",
    "wall": "Seconds of the wall clock",
}


def write_speed_page(path: Path, speeds: StageSpeeds, *, command: str) -> list[Path]:
    """Write the page in Markdown, and its plot to the folder ``images`` beside it.

    Args:
        path: The file; what an earlier page says below its plot is kept.
        speeds: What was measured.
        command: The command that measured it.

    Returns:
        The files.

    Raises:
        OSError: If a file cannot be written; an earlier file is left as it was.
    """
    plot = path.parent / "images" / f"{path.stem}.svg"
    link = f"images/{plot.name}"
    page = speed_page(speeds, command=command, plot=link)
    if path.exists():
        page += path.read_text(encoding="utf-8").partition(f"]({link})\n")[2]
    plot.parent.mkdir(parents=True, exist_ok=True)
    for target, text in {plot: _plot(speeds), path: page}.items():
        with atomic_path(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [path, plot]


def speed_page(speeds: StageSpeeds, *, command: str, plot: str) -> str:
    """Return the page; ``plot`` is where its plot is."""
    repeat = len(next(iter(next(iter(speeds.seconds.values())).values())))
    parts = [
        "# Speed\n",
        f"Measured by `{command}`, which also writes this page. {_SECONDS[speeds.clock]}: the "
        f"median of {repeat} rounds in which all take turns, and half the distance between the "
        "quartiles; both images of a pair are counted. No image is resized. Device "
        f"{speeds.device}, threads {speeds.threads}.\n",
    ]
    for size in dict.fromkeys(case.size for case in speeds.seconds):
        parts += [f"## {size[0]}x{size[1]} px\n", stage_table(speeds, size=size)]
    return "\n".join([*parts, f"![Seconds per stage]({plot})\n"])


def stage_table(speeds: StageSpeeds, *, size: tuple[int, int]) -> str:
    """Return the seconds at one size in Markdown; the number behind a name is of keypoints."""
    chosen = {case: own for case, own in speeds.seconds.items() if case.size == size}
    stages = _stages(chosen)
    rows = []
    for case, own in chosen.items():
        totals = np.sum([*own.values()], axis=0)
        cells = [_cell(own[stage]) if stage in own else "-" for stage in stages]
        rows.append([_label(case), *cells, _cell(totals)])
    return markdown_table(["", *stages, "all"], rows)


def _plot(speeds: StageSpeeds) -> str:
    stages = _stages(speeds.seconds)
    labels = [f"{case.size[0]}x{case.size[1]}, {_label(case)}" for case in speeds.seconds]
    parts = {
        stage: [median_and_spread(own.get(stage, [0.0]))[0] for own in speeds.seconds.values()]
        for stage in stages
    }
    return plot_stacked("Time of a pair", f"seconds ({speeds.clock})", labels, parts)


def _stages(seconds: Mapping[Case, Mapping[str, Sequence[float]]]) -> list[str]:
    """Return all stages, in the order of the case that has the most."""
    longest = max(seconds.values(), key=len)
    return list(dict.fromkeys([*longest, *(stage for own in seconds.values() for stage in own)]))


def _label(case: Case) -> str:
    return f"{case.name}, {case.num_keypoints}"


def _cell(values: Sequence[float]) -> str:
    return "{:.3f} ± {:.3f}".format(*median_and_spread(values))
