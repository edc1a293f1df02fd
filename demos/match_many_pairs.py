"""Extract the features of every image in a folder once, then match all pairs in batches.

Usage: ``python demos/match_many_pairs.py FOLDER [--batch-size 4]``
"""

import argparse
from itertools import combinations
from pathlib import Path

from gluestick import PointLineMatcher, load_image
from gluestick.wireframe import stack_wireframes

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("folder", type=Path)
parser.add_argument("--batch-size", type=int, default=4)
arguments = parser.parse_args()

matcher = PointLineMatcher.from_pretrained(max_num_keypoints=512)
paths = sorted(path for path in arguments.folder.iterdir() if path.suffix == ".jpg")
wireframes = {path.name: matcher.extract(load_image(path)) for path in paths}

pairs = list(combinations(wireframes, 2))
for start in range(0, len(pairs), arguments.batch_size):
    batch = pairs[start : start + arguments.batch_size]
    wireframe0, wireframe1 = (
        stack_wireframes([wireframes[pair[side]] for pair in batch]) for side in (0, 1)
    )
    matches = matcher.match(wireframe0, wireframe1)
    for index, (name0, name1) in enumerate(batch):
        points, _ = matches.matched_keypoints(wireframe0, wireframe1, index=index)
        lines, _ = matches.matched_lines(wireframe0, wireframe1, index=index)
        print(f"{name0} {name1}: {len(points)} points, {len(lines)} lines")
