"""Match two photographs and print what a program would go on with.

Usage: ``python demos/match_two_photographs.py IMAGE0 IMAGE1``
"""

import argparse

from gluestick import PointLineMatcher, load_image
from gluestick.estimation import estimate_homography

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("image0")
parser.add_argument("image1")
arguments = parser.parse_args()

matcher = PointLineMatcher.from_pretrained()
image0, image1 = load_image(arguments.image0), load_image(arguments.image1)
wireframe0, wireframe1, matches = matcher(image0, image1)
points0, points1 = matches.matched_keypoints(wireframe0, wireframe1)  # [S, 2] px
lines0, lines1 = matches.matched_lines(wireframe0, wireframe1)  # [S, 2, 2] px
print(f"{len(points0)} points and {len(lines0)} lines matched")

estimate = estimate_homography(points0, points1, lines0, lines1, max_error=3.0)
if estimate is None:
    print("no homography")
else:
    inliers = estimate.point_inliers.sum(), estimate.line_inliers.sum()
    print(f"homography with {inliers[0]} points and {inliers[1]} lines")
    print(estimate.H_0to1 / estimate.H_0to1[2, 2])
