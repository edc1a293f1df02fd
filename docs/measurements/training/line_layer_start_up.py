"""What line layers cost at start-up: CPU seconds of a fresh process until its first matches.

Usage: ``python docs/measurements/training/line_layer_start_up.py IMAGE0 IMAGE1 [--repeat 5]``. It
measures the package that ``import gluestick`` finds, so a checkout of another commit is measured
with ``PYTHONPATH=CHECKOUT``.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

CODE = """
import sys, time
import gluestick
print(time.process_time())
from gluestick.matching.added_line_layers import add_line_layers
matcher = gluestick.PointLineMatcher.from_pretrained(max_num_keypoints=512)
if sys.argv[1] == "True":
    matcher.network = add_line_layers(matcher.network, range(9))
print(time.process_time())
matcher(*(gluestick.load_image(path) for path in sys.argv[2:]))
print(time.process_time())
matcher(*(gluestick.load_image(path) for path in sys.argv[2:]))
print(time.process_time())
print(float("torch_geometric" in sys.modules))
"""


def measure(images: list[str], *, with_lines: bool) -> list[float]:
    """Return the times of one fresh process, and whether it imported torch-geometric."""
    paths = [Path(image).resolve() for image in images]
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(with_lines), *paths],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=paths[0].parent,  # not here, where there may be another package gluestick
    )
    return [float(line) for line in result.stdout.split()]


def main(images: list[str], *, repeat: int) -> None:
    """Print the table."""
    print("| line layers | gluestick imported | model built | first match | second match ", end="")
    print("| torch-geometric imported |")
    print("|---|---|---|---|---|---|")
    kinds = (False, True)
    runs = [[measure(images, with_lines=with_lines) for with_lines in kinds] for _ in range(repeat)]
    for kind, name in enumerate(("none", "all nine")):
        *times, imported = np.median([run[kind] for run in runs], axis=0)
        cells = [f"{seconds:.2f}" for seconds in times]
        print(f"| {name} | {' | '.join(cells)} | {'yes' if imported else 'no'} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs=2)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    main(arguments.images, repeat=arguments.repeat)
