"""Make a line map with LIMAP from a folder that ``gluestick reconstruct`` wrote, and draw it.

Usage, in LIMAP's environment (see ``docs/how_to/limap.md``):
``python demos/limap_line_map.py RECONSTRUCTION [--topk 10]``. LIMAP's model and ``line_map.png``,
the map as one of the cameras sees it, near lines dark, are written to RECONSTRUCTION/limap.
"""

import argparse
from pathlib import Path

import numpy as np
import pycolmap
from limap.sfm import GlobalLineTriangulationOptions
from limap.sfm.pipelines import global_line_triangulation
from PIL import Image, ImageDraw

from gluestick.bridges.limap.structures import write_structures

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("reconstruction", type=Path)
parser.add_argument("--topk", type=int, default=10, help="matches of a line; 0 for one to one")
arguments = parser.parse_args()

folder = arguments.reconstruction
output = folder / "limap"
output.mkdir(exist_ok=True)
model = write_structures(
    output / "structures.db",
    pycolmap.Reconstruction(folder / "sparse" / "0"),
    folder / "features.h5",
    folder / "matches.h5",
    topk=arguments.topk,
)
made = global_line_triangulation(
    model, output / "structures.db", GlobalLineTriangulationOptions(), None
)
made.write(output)

lines = list(made.structure_recon.lines3D.values())
tracks = [len({element.image_id for element in line.track.elements}) for line in lines]
print(f"{len(lines)} lines in {np.mean(tracks or [0]):.1f} images on average")

image = model.images[sorted(model.images)[len(model.images) // 2]]
canvas = Image.new("RGB", (image.camera.width, image.camera.height), "white")
draw = ImageDraw.Draw(canvas)
depths = np.array([(image.cam_from_world() * line.midpoint())[2] for line in lines])
shades = 200 * depths.argsort().argsort() / max(len(lines) - 1, 1)
for line, shade in zip(lines, shades.astype(int).tolist(), strict=True):
    seen = line.projection(image)
    if seen is not None:
        draw.line([*(seen.start - 0.5), *(seen.end - 0.5)], fill=(shade, shade, shade), width=2)
canvas.save(output / "line_map.png")
