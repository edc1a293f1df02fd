"""How long it takes to start: imports and help, each in fresh interpreters.

Usage: ``python docs/measurements/speed/startup.py [--repeat 5]``. The package is the one that this
interpreter imports; with ``PYTHONPATH`` it can be another version's.
"""

import argparse
import os
import resource
import subprocess
import sys
import time

_COMMAND = "import sys; sys.argv[0] = 'gluestick'; from gluestick.cli import main; main()"
_STARTS = {
    "python": ["pass"],
    "import torch": ["import torch"],
    "import kornia": ["import kornia"],
    "import gluestick": ["import gluestick"],
    "from gluestick import PointLineMatcher": ["from gluestick import PointLineMatcher"],
    "gluestick --help": [_COMMAND, "--help"],
    "gluestick match --help": [_COMMAND, "match", "--help"],
    "gluestick benchmark --help": [_COMMAND, "benchmark", "--help"],
    "gluestick benchmark pose --help": [_COMMAND, "benchmark", "pose", "--help"],
}


def main() -> None:
    """Print the least wall-clock and processor seconds of each start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="How often each is started.")
    repeat = parser.parse_args().repeat
    seconds = {name: (float("inf"), float("inf")) for name in _STARTS}
    for _ in range(repeat):  # by turns, so that other load meets all alike
        for name, arguments in _STARTS.items():
            measured = start([sys.executable, "-c", *arguments])
            seconds[name] = tuple(map(min, seconds[name], measured))
    print("| | wall clock, s | processor, s |\n|---|---|---|")
    for name, (wall, processor) in seconds.items():
        print(f"| `{name}` | {wall:.2f} | {processor:.2f} |")
    apart = seconds["from gluestick import PointLineMatcher"][1] - seconds["import torch"][1]
    print(f"\nThe package's own share on top of torch: {apart:.2f} s of the processor's time")


def start(arguments: list[str]) -> tuple[float, float]:
    """Run a program; return its wall-clock and processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, env=environment)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
