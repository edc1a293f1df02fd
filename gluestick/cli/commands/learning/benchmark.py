"""``gluestick benchmark``: measure a model and its peers, and compare what was measured."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from gluestick.benchmarks.tasks.registry import BENCHMARKS, BenchmarkCard
from gluestick.cli import options
from gluestick.cli.commands.learning.speed import speed
from gluestick.cli.errors import one_line_errors
from gluestick.cli.progress import progress

if TYPE_CHECKING:
    from gluestick.benchmarks.run.runner import Run
    from gluestick.benchmarks.tasks.protocol import Benchmark, Pair
    from gluestick.config import MatchConfig
    from gluestick.matching.protocols import Matcher

app = typer.Typer(
    name="benchmark",
    help="Measure a model and its peers on pairs of images with known geometry.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Peers = Annotated[
    str, typer.Option(help="More models or peers, separated by commas, or all for every peer.")
]
NumPairs = Annotated[
    int | None,
    typer.Option(
        help="Take this many pairs, in localization queries, evenly spread.", show_default="all"
    ),
]
Settings = Annotated[
    list[str] | None, typer.Argument(help="Settings of the benchmark, such as holdout=true.")
]


@dataclass(frozen=True, kw_only=True)
class _Contest:
    """What is measured: the pairs, the matchers by name, and where their files go."""

    benchmark: Benchmark
    pairs: Sequence[Pair]
    folder: Path
    names: Sequence[str]
    max_num_keypoints: int | None
    max_num_lines: int | None

    def place(self, name: str) -> Path:
        """The folder of the first matcher is that of the contest; the others' lie within it."""
        return self.folder if name == self.names[0] else self.folder / name


def _add_command(card: BenchmarkCard) -> None:
    @one_line_errors
    def command(
        data_dir: Annotated[Path, typer.Argument(help="The folder of the data.")],
        settings: Settings = None,
        model: options.Model = None,
        peers: Peers = "",
        weights: options.Weights = None,
        detector_weights: options.DetectorWeights = None,
        match_config: Annotated[
            Path | None,
            typer.Option(
                help="A preset or YAML file of the model's own settings, as in configs/match.",
                show_default="none",
            ),
        ] = None,
        output: Annotated[
            Path | None,
            typer.Option(
                help="The folder to write to.",
                show_default="output/benchmark, and the benchmark's name in it",
            ),
        ] = None,
        max_num_keypoints: options.KeypointBudget = card.max_num_keypoints,
        max_num_lines: options.LineBudget = card.max_num_lines,
        num_pairs: NumPairs = None,
        seed: Annotated[
            int | None, typer.Option(help="The same as seed=N.", show_default="the benchmark's")
        ] = None,
        config: Annotated[
            Path | None,
            typer.Option(
                help="A preset or YAML file of settings, as in configs/benchmark.",
                show_default="none",
            ),
        ] = None,
        score_only: Annotated[
            bool, typer.Option("--score-only", help="Score stored predictions; load no model.")
        ] = False,
        report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
        view: options.View = None,
        rotation: options.Rotation = None,
        device: options.Device = "auto",
    ) -> None:
        from gluestick.benchmarks.report import plots
        from gluestick.benchmarks.run.runner import select_pairs
        from gluestick.config import load_config

        if report:
            plots.check_matplotlib()
        overrides = [*(settings or ()), *([] if seed is None else [f"seed={seed}"])]
        benchmark = card.build(data_dir, load_config(config, overrides, defaults=card.config()))
        own = _own_settings(
            model,
            match_config,
            weights=weights,
            detector_weights=detector_weights,
            view=view,
            rotation=rotation,
        )
        contest = _Contest(
            benchmark=benchmark,
            pairs=select_pairs(benchmark.pairs(), num_pairs=num_pairs),
            folder=output or Path("output/benchmark") / card.name,
            names=options.matcher_names(own.model, peers),
            max_num_keypoints=max_num_keypoints,
            max_num_lines=max_num_lines,
        )
        runs = _score(contest) if score_only else _measure(contest, own, device=device)
        _finish(contest, runs, report=report)

    command.__doc__ = f"""Measure {card.summary}.

    Writes predictions.h5, results.h5 and summary.json to the output folder, those of peers to
    folders within it, and report.html and report.md. A stopped run goes on where it was.

    Example: gluestick benchmark {card.name} DATA_DIR --peers aliked+lightglue --output results
    """
    app.command(name=card.name)(command)


def _own_settings(
    model: str | None,
    path: Path | None,
    *,
    weights: str | None,
    detector_weights: str | None,
    view: str | None,
    rotation: str | None,
) -> MatchConfig:
    """Return the settings of the model; a peer has only its name and files."""
    from gluestick.catalog import matcher_card
    from gluestick.config import MatchConfig
    from gluestick.pretrained import MODELS

    if model is None or model in MODELS:
        return options.match_config(
            path,
            (),
            model=model,
            weights=weights,
            detector_weights=detector_weights,
            view=view,
            rotation=rotation,
        )
    card = matcher_card(model)
    if any(option is not None for option in (path, view, rotation)):
        raise ValueError(
            f"--match-config, --view and --rotation are for models, and {card.name} is a peer"
        )
    return MatchConfig(model=model, weights=weights, detector_weights=detector_weights)


def _score(contest: _Contest) -> list[Run]:
    from gluestick.benchmarks.run.runner import score_predictions

    return [
        score_predictions(contest.benchmark, contest.pairs, contest.place(name), progress=progress)
        for name in contest.names
    ]


def _measure(contest: _Contest, own: MatchConfig, *, device: str) -> list[Run]:
    from gluestick.benchmarks.run.runner import run_benchmark
    from gluestick.catalog import load_matcher
    from gluestick.cli.devices import select_device

    budgets = {
        "max_num_keypoints": contest.max_num_keypoints,
        "max_num_lines": contest.max_num_lines,
    }
    # All are loaded before the first is measured, so that nothing is missing hours later.
    matchers = {
        name: load_matcher(
            name,
            max_num_keypoints=contest.max_num_keypoints,
            max_num_lines=contest.max_num_lines,
        )
        for name in contest.names[1:]
    }
    matchers[own.model] = _load_own(own, **budgets)
    selected = select_device(device)
    return [
        run_benchmark(
            contest.benchmark,
            contest.pairs,
            matchers[name].to(selected),
            contest.place(name),
            model=name,
            progress=progress,
            **budgets,
        )
        for name in contest.names
    ]


def _load_own(
    own: MatchConfig, *, max_num_keypoints: int | None, max_num_lines: int | None
) -> Matcher:
    """Load the model with its own settings, and a peer, which has none, by its name."""
    from gluestick.catalog import load_matcher
    from gluestick.pretrained import MODELS

    return load_matcher(
        own.model,
        weights=own.weights,
        detector_weights=own.detector_weights,
        config=own.pipeline if own.model in MODELS else None,
        max_num_keypoints=max_num_keypoints,
        max_num_lines=max_num_lines,
    )


def _finish(contest: _Contest, runs: Sequence[Run], *, report: bool) -> None:
    from gluestick.benchmarks.report.benchmark_page import write_report
    from gluestick.benchmarks.report.tables import figure_title, format_figure
    from gluestick.benchmarks.run.runner import SUMMARY
    from gluestick.benchmarks.run.summary import figure

    table = Table(f"{runs[0].summary['num_pairs']} pairs", *(run.model for run in runs))
    for path in contest.benchmark.headline:
        values = [format_figure(path, figure(run.summary, path)) for run in runs]
        table.add_row(figure_title(path), *values)
    for stage in dict.fromkeys(stage for run in runs for stage in run.summary["seconds"]):
        seconds = [figure(run.summary, f"seconds/{stage}") for run in runs]
        cells = ("-" if math.isnan(value) else f"{value:.3f}" for value in seconds)
        table.add_row(f"seconds, {stage}", *cells)
    Console().print(table)
    paths = [run.folder / SUMMARY for run in runs]
    if report:
        paths += write_report(contest.folder, contest.benchmark, contest.pairs, runs)
    typer.echo("Written: " + ", ".join(str(path) for path in paths))


@app.command(name="compare")
@one_line_errors
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Folders with results.h5.")],
    output: Annotated[
        Path | None, typer.Option(help="Also write compare.json and compare.md to this folder.")
    ] = None,
    num_samples: Annotated[int, typer.Option(help="Bootstrap samples.")] = 1000,
    seed: Annotated[int, typer.Option(help="Decides the samples.")] = 0,
) -> None:
    """Compare runs of one benchmark with the first of them, on the same pairs.

    Prints each figure's difference and its 95% bootstrap interval over pairs; * marks those
    that leave 0 out. compare.json also holds the difference of every pair.

    Example: gluestick benchmark compare results results/aliked+lightglue --output results
    """
    from gluestick.benchmarks.report.compare import compare_folders, comparison_json
    from gluestick.benchmarks.report.tables import comparison_table
    from gluestick.benchmarks.run.summary import write_json
    from gluestick.storage.atomic import atomic_path

    with Console(stderr=True).status("Drawing samples"):
        comparisons = compare_folders(folders, num_samples=num_samples, seed=seed)
    text = "\n".join(map(comparison_table, comparisons))
    typer.echo(text)
    if output is not None:
        write_json(output / "compare.json", [comparison_json(one) for one in comparisons])
        with atomic_path(output / "compare.md") as temporary:
            temporary.write_text(text, encoding="utf-8")


@app.command(name="all")
@one_line_errors
def run_all(
    root: Annotated[
        Path, typer.Argument(help="The folder with homography, pose/*, depth/* and train.")
    ],
    model: options.Model = None,
    peers: Peers = "",
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path(
        "output/benchmark/all"
    ),
    write: Annotated[
        Path | None, typer.Option(help="Also write the page of results, as docs/results.md.")
    ] = None,
    num_pairs: NumPairs = None,
    device: options.Device = "auto",
) -> None:
    """Run every benchmark for which there is data, and fill the page of results.

    Every matcher keeps 1024 keypoints; the model and aliked+lightglue also 512 and 2048. Pairs
    turned by any angle are measured with 512. A stopped run goes on where it was.

    Example: gluestick benchmark all data --peers all --write docs/results.md
    """
    from gluestick.benchmarks.report import plots
    from gluestick.benchmarks.report.benchmark_page import write_job_reports
    from gluestick.benchmarks.report.results_page import write_results_page
    from gluestick.benchmarks.run.suite import find_jobs, models_by_budget, run_job, run_speed
    from gluestick.catalog import load_matcher
    from gluestick.cli.devices import select_device
    from gluestick.pretrained import DEFAULT_MODEL

    plots.check_matplotlib()
    jobs = find_jobs(root)
    names = options.matcher_names(model or DEFAULT_MODEL, peers)
    selected = select_device(device)

    def load(name: str, max_num_keypoints: int, max_num_lines: int) -> Matcher:
        matcher = load_matcher(
            name, max_num_keypoints=max_num_keypoints, max_num_lines=max_num_lines
        )
        return matcher.to(selected)

    for name in names:
        load(name, 1, 1)  # tells now, not hours later, if weights are missing
    outcomes = []
    for number, job in enumerate(jobs, start=1):
        typer.echo(f"{number}/{len(jobs)}: {job.name}", err=True)
        models = models_by_budget(job, names[0], names[1:])
        outcome = run_job(job, output, models, load, num_pairs=num_pairs, progress=progress)
        write_job_reports(outcome)
        outcomes.append(outcome)
    if write is not None:
        speed = run_speed(jobs[0], names, load, progress=progress)
        command = shlex.join(["gluestick", *sys.argv[1:]])
        written = write_results_page(write, outcomes, speed=speed, command=command)
        typer.echo("Written: " + ", ".join(map(str, written)))


for _card in BENCHMARKS.values():
    _add_command(_card)
app.command(name="speed")(speed)
