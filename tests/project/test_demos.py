import subprocess
import sys
from pathlib import Path

import pytest

DEMOS = Path(__file__).parents[2] / "demos"


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("match_two_photographs", ("leuven_a.jpg", "leuven_b.jpg"), "homography with"),
        ("match_many_pairs", (".",), "leuven_a.jpg leuven_b.jpg: "),
        ("bring_your_own_lines", ("leuven_a.jpg", "leuven_b.jpg"), " matched"),
        ("learn_on_wireframes", ("leuven_a.jpg", "leuven_b.jpg"), "with lines: area under"),
    ],
)
def test_a_demo_runs(assets: Path, name: str, arguments: tuple[str, ...], words: str) -> None:
    command = [sys.executable, DEMOS / f"{name}.py", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=assets, check=False)
    assert result.returncode == 0, result.stderr
    assert words in result.stdout


def test_demos_are_short() -> None:
    demos = list(DEMOS.glob("*.py"))
    assert len(demos) >= 3
    for demo in demos:
        assert len(demo.read_text(encoding="utf-8").splitlines()) < 60
