from pathlib import Path

import pytest
from markdown_tables import cells

from gluestick.benchmarks.report.speed_page import stage_table, write_speed_page
from gluestick.benchmarks.run.stage_speed import Case, StageSpeeds

SPEEDS = StageSpeeds(
    seconds={
        Case("ours", (64, 48), 512): {"loading": [0.1, 0.3, 0.2], "line head": [1.0, 1.0, 1.0]},
        Case("peer", (64, 48), 512): {"loading": [0.5, 0.5, 0.5]},
        Case("ours", (32, 24), 512): {"loading": [0.1, 0.1, 0.1], "line head": [0.5, 0.5, 0.5]},
    },
    clock="processor",
    device="cpu",
    threads=1,
)


def test_a_row_for_each_case_of_the_size() -> None:
    header, _, *rows = cells(stage_table(SPEEDS, size=(64, 48)))
    assert header == ["", "loading", "line head", "all"]
    assert rows == [
        ["ours, 512", "0.200 ± 0.050", "1.000 ± 0.000", "1.200 ± 0.050"],
        ["peer, 512", "0.500 ± 0.000", "-", "0.500 ± 0.000"],
    ]


def test_the_page_has_a_table_per_size_and_a_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page, plot = write_speed_page(tmp_path / "speed.md", SPEEDS, command="gluestick benchmark")
    text = page.read_text(encoding="utf-8")
    assert "Measured by `gluestick benchmark`" in text
    assert "Processor seconds" in text
    assert "the median of 3 rounds" in text
    assert text.index("## 64x48 px") < text.index("## 32x24 px")
    assert "](images/speed.svg)" in text
    assert plot == tmp_path / "images" / "speed.svg"
    assert plot.read_text(encoding="utf-8").startswith("<svg")


def test_what_an_earlier_page_says_below_its_plot_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page, _ = write_speed_page(tmp_path / "speed.md", SPEEDS, command="first")
    page.write_text(page.read_text(encoding="utf-8") + "\n## Early exit\n", encoding="utf-8")
    write_speed_page(page, SPEEDS, command="second")
    text = page.read_text(encoding="utf-8")
    assert text.endswith("](images/speed.svg)\n\n## Early exit\n")
    assert "second" in text
    assert "first" not in text
