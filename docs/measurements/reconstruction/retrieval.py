"""How many of the pairs that overlap the most similar photographs contain.

Usage: ``python docs/measurements/reconstruction/retrieval.py SCENE [SCENE ...]``. Each SCENE holds
``images/`` and a list of pairs with known cameras, such as ``pairs_with_gt.txt``. All photographs
are put into one folder, so that those of the other scenes are there to be confused with; a pair is
found if one of its photographs is among the K most similar to the other, as when a reconstruction
asks for K. Chance is what as many pairs drawn at random contain.
"""

import argparse
import tempfile
import time
from pathlib import Path

from gluestick.datasets.photographs import list_photographs
from gluestick.datasets.posed.posed_pairs import find_pairs_file, read_posed_pairs
from gluestick.reconstruction.pairs.retrieval import (
    PhotographDescriptors,
    RetrievalConfig,
    similar_photographs,
)

COUNTS = (2, 5, 10, 20)


def true_pairs(scene: Path) -> set[frozenset[str]]:
    """Return the pairs of a scene, by the names that its photographs have in the common folder."""
    path = find_pairs_file(scene)
    if path is None:
        raise ValueError(f"{scene} needs a list of pairs")
    names = ((pair.name0, pair.name1) for pair in read_posed_pairs(path))
    return {frozenset(f"{scene.name}/{Path(name).name}" for name in pair) for pair in names}


def measure(scenes: list[Path], *, num_words: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "photographs"
        folder.mkdir()
        for scene in scenes:
            (folder / scene.name).mkdir()
            for image in (scene / "images").iterdir():
                (folder / scene.name / image.name).symlink_to(image.resolve())
        names = list_photographs(folder)
        start = time.process_time()
        config = RetrievalConfig(num_words=num_words)
        with PhotographDescriptors(Path(scratch) / "d.h5", folder, config=config) as described:
            descriptors = described.describe(names)
        seconds = time.process_time() - start
    all_pairs = len(names) * (len(names) - 1) / 2
    print(f"{len(names)} photographs, {num_words} words, {seconds / len(names):.3f} s each")
    print(f"| scene | pairs | {' | '.join(f'K = {count}' for count in COUNTS)} |")
    print(f"|---|---|{'---|' * len(COUNTS)}")
    found = {
        count: {
            frozenset((names[i], names[j]))
            for i, j in similar_photographs(descriptors, count=count)
        }
        for count in COUNTS
    }
    for scene in scenes:
        true = true_pairs(scene)
        shares = [f"{len(true & found[count]) / len(true):.1%}" for count in COUNTS]
        print(f"| {scene.name} | {len(true)} | {' | '.join(shares)} |")
    chance = [f"{len(found[count]) / all_pairs:.1%}" for count in COUNTS]
    print(f"| by chance | | {' | '.join(chance)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--words", type=int, default=64)
    arguments = parser.parse_args()
    measure(arguments.scenes, num_words=arguments.words)
