"""What other precisions than single cost: matches of the pairs in ``assets/``.

Usage: ``python docs/measurements/speed/precision.py [--device cuda]``. A match is kept if both of
its positions are within 0.1 px of those in single precision on the same device. Images are seen
with ``view="turn"``: other views follow from the matches, and move all positions a little.
"""

import argparse
import copy
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from gluestick import PointLineMatcher, load_image
from gluestick.types import Matches, Wireframe

ASSETS = Path(__file__).parents[3] / "assets"
Result = tuple[Wireframe, Wireframe, Matches]


def positions(result: Result) -> tuple[Tensor, Tensor]:
    """Return the matched keypoints [S, 4] and lines [S, 8] of a pair, px."""
    wireframe0, wireframe1, matches = result
    points = matches.matched_keypoints(wireframe0, wireframe1)
    lines = matches.matched_lines(wireframe0, wireframe1)
    joined = (torch.cat([side.flatten(1) for side in kind], dim=1) for kind in (points, lines))
    return next(joined), next(joined)


def autocast(matcher: PointLineMatcher, dtype: torch.dtype) -> Callable[..., Result]:
    """Return the matcher run under autocast."""

    def run(*images: Tensor) -> Result:
        with torch.autocast(matcher.device.type, dtype=dtype):
            return matcher(*images)

    return run


def main() -> None:
    """Print a row for each pair and precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    single = PointLineMatcher.from_pretrained(view="turn").to(parser.parse_args().device)
    ways: dict[str, Callable[..., Result]] = {
        "single": single,
        **{name: getattr(copy.deepcopy(single), name)() for name in ("half", "bfloat16", "double")},
        "autocast float16": autocast(single, torch.float16),
        "autocast bfloat16": autocast(single, torch.bfloat16),
    }
    print("| pair | precision | points | kept | lines | kept |\n|---|---|---|---|---|---|")
    for pair in ("leuven", "graffiti"):
        images = [load_image(ASSETS / f"{pair}_{side}.jpg") for side in "ab"]
        wanted = positions(single(*images))
        for name, run in ways.items():
            cells = [pair, name]
            for found, expected in zip(positions(run(*images)), wanted, strict=True):
                distances = torch.cdist(expected, found, p=torch.inf)
                kept = (distances <= 0.1).any(1).double().mean()
                cells += [str(len(found)), f"{100 * kept:.1f}%"]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
