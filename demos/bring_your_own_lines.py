"""Match lines that another detector found: here, OpenCV's fast line detector.

Usage: ``python demos/bring_your_own_lines.py IMAGE0 IMAGE1``
"""

import argparse

import cv2
import numpy as np

from gluestick import PointLineMatcher, load_image

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("images", nargs=2)
arguments = parser.parse_args()

images = [load_image(path) for path in arguments.images]
detector = cv2.ximgproc.createFastLineDetector(length_threshold=25)
lines = []
for image in images:
    gray = (image.mean(0).numpy() * 255).astype(np.uint8)
    found = detector.detect(gray)
    lines.append(np.zeros((0, 4)) if found is None else found.reshape(-1, 4))  # [L, 4] px

matcher = PointLineMatcher.from_pretrained()
wireframe0, wireframe1, matches = matcher(*images, lines0=lines[0], lines1=lines[1])
matched0, matched1 = matches.matched_lines(wireframe0, wireframe1)
print(f"{len(lines[0])} and {len(lines[1])} lines, {len(matched0)} matched")
for line0, line1 in zip(matched0[:5].tolist(), matched1[:5].tolist(), strict=True):
    print(line0, line1)
