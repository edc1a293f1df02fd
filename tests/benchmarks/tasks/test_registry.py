from dataclasses import asdict, is_dataclass
from pathlib import Path

import pytest

from gluestick.benchmarks.tasks.registry import BENCHMARKS, benchmark_card, benchmark_of


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_every_benchmark_keeps_the_protocol(name: str) -> None:
    card = benchmark_card(name)
    config = card.config()
    assert is_dataclass(config)
    for value in asdict(config).values():
        assert value is None or isinstance(value, str | int | float | bool)
    benchmark = card.build(Path("/nowhere"), config)
    assert benchmark.name == name
    assert set(benchmark.scoring_fields) <= set(asdict(config))
    assert set(benchmark.match_kinds) <= {"points", "lines"}
    assert set(benchmark.headline) <= set(benchmark.summarize([]))
    with pytest.raises(ValueError, match="nowhere"):
        benchmark.pairs()


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_a_benchmark_is_rebuilt_from_its_configuration(name: str) -> None:
    settings = asdict(benchmark_card(name).config())
    configuration = {"benchmark": name, "data_dir": "/nowhere", "settings": settings}
    benchmark = benchmark_of(configuration)
    assert (benchmark.name, benchmark.data_dir) == (name, Path("/nowhere"))
    assert asdict(benchmark.config) == settings
    with pytest.raises(ValueError, match="another version"):
        benchmark_of(configuration | {"settings": settings | {"unknown": 1}})


def test_unknown_benchmarks_are_refused() -> None:
    with pytest.raises(ValueError, match="there are: homography"):
        benchmark_card("unknown")
