"""The benchmarks by name, each imported where it is first built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from gluestick.benchmarks.tasks.protocol import Benchmark

Task: TypeAlias = "tuple[type[Any], Callable[[Path, Any], Benchmark]]"
"""The class of a benchmark's configuration, and what makes the benchmark from it."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkCard:
    """A benchmark that can be named.

    Attributes:
        name: Its name.
        summary: What it measures, and what the data folder needs, in a line.
        load: Imports it.
        max_num_keypoints: How many keypoints are kept per image unless the user says.
        max_num_lines: How many lines are kept per image unless the user says.
    """

    name: str
    summary: str
    load: Callable[[], Task]
    max_num_keypoints: int = 1024
    max_num_lines: int = 250

    @property
    def config(self) -> type[Any]:
        """The class of its configuration."""
        return self.load()[0]

    def build(self, data_dir: Path, config: Any) -> Benchmark:
        """Make it from the data folder and a configuration."""
        return self.load()[1](data_dir, config)


def _homography() -> Task:
    from gluestick.benchmarks.tasks.planar.homography import (
        HomographyBenchmark,
        HomographyBenchmarkConfig,
    )

    return HomographyBenchmarkConfig, HomographyBenchmark


def _pose() -> Task:
    from gluestick.benchmarks.tasks.posed.pose import PoseBenchmark, PoseBenchmarkConfig

    return PoseBenchmarkConfig, PoseBenchmark


def _lines3d() -> Task:
    from gluestick.benchmarks.tasks.posed.lines3d import Lines3dBenchmark, Lines3dConfig

    return Lines3dConfig, Lines3dBenchmark


def _localization() -> Task:
    from gluestick.benchmarks.tasks.posed.localization import (
        LocalizationBenchmark,
        LocalizationConfig,
    )

    return LocalizationConfig, LocalizationBenchmark


def _synthetic() -> Task:
    from gluestick.benchmarks.tasks.planar.synthetic import SyntheticBenchmark
    from gluestick.datasets.synthetic_pairs import SyntheticPairsConfig

    return SyntheticPairsConfig, SyntheticBenchmark


_CARDS = (
    BenchmarkCard(
        name="homography",
        summary="homographies, points and lines; HPatches' layout: v_*/ and i_*/ with 1.*, 2.*, "
        "..., H_1_2, ...",
        load=_homography,
    ),
    BenchmarkCard(
        name="pose",
        summary="relative poses; a folder with images and a list of pairs such as "
        "pairs_with_gt.txt, or a folder of such folders",
        load=_pose,
    ),
    BenchmarkCard(
        name="lines3d",
        summary="points and lines under parallax and occlusion; images/, depths/ and a list of "
        "pairs, or scenes of ETH3D",
        load=_lines3d,
    ),
    BenchmarkCard(
        name="localization",
        summary="absolute poses of queries; images/ with cameras.json and depths/, or with a "
        "COLMAP model, and pairs.txt (query reference)",
        load=_localization,
    ),
    BenchmarkCard(
        name="synthetic",
        summary="points and lines under random homographies and changes of light; any folder of "
        "photographs",
        load=_synthetic,
        max_num_keypoints=512,
    ),
)

BENCHMARKS: Mapping[str, BenchmarkCard] = MappingProxyType({card.name: card for card in _CARDS})
"""Every benchmark, by name."""


def benchmark_card(name: str) -> BenchmarkCard:
    """Return the card of a benchmark.

    Raises:
        ValueError: If there is no benchmark of that name.
    """
    if name not in BENCHMARKS:
        raise ValueError(f"no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]


def benchmark_of(configuration: Mapping[str, Any]) -> Benchmark:
    """Return the benchmark that the configuration of a results file describes.

    Its data need not be there to summarize the results again.

    Raises:
        ValueError: If there is no such benchmark, or its settings are not those of this version.
    """
    card = benchmark_card(str(configuration.get("benchmark")))
    settings = configuration.get("settings", {})
    known = {field.name for field in fields(card.config)}
    if set(settings) != known:
        raise ValueError(f"the results of {card.name} come from another version: score them again")
    return card.build(Path(configuration["data_dir"]), card.config(**settings))
