"""What a person dropped: which of the files are photographs, and why the others are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from gluestick.images.decode import no_pillow_limit
from gluestick.images.load import load_image
from gluestick.web.limits import Limits

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
"""The endings of files that may be dropped."""

_FORMATS = {"JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP"}


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A file that may be matched.

    Attributes:
        name: What it is called, different from the others.
        path: The file.
    """

    name: str
    path: Path

    def load(self, limits: Limits) -> Tensor:
        """Return the pixels [3, H, W] in [0, 1].

        Raises:
            ValueError: If the file is damaged or gone; the message names it and no folder.
        """
        if not self.path.is_file():
            raise ValueError(f"{self.name} is no longer here: drop it again")
        try:
            return load_image(self.path, max_pixels=limits.max_pixels)
        except ValueError as error:
            raise ValueError(str(error).replace(str(self.path), self.name)) from error


def sort_out(paths: Sequence[Path], limits: Limits) -> tuple[list[Photograph], list[str]]:
    """Look at the beginnings of files.

    Args:
        paths: The files.
        limits: What is taken.

    Returns:
        The photographs, in order, and a line for each file that is none.
    """
    photographs: list[Photograph] = []
    refused = []
    for path in paths:
        reason = _fault(path, limits)
        if reason is None and len(photographs) == limits.max_photographs:
            reason = f"is one too many: at most {limits.max_photographs} are taken"
        if reason is None:
            name = _unused(path.name, {photograph.name for photograph in photographs})
            photographs.append(Photograph(name=name, path=path))
        else:
            refused.append(f"{path.name} {reason}")
    return photographs, refused


def _fault(path: Path, limits: Limits) -> str | None:
    """Return why a file is no photograph, or None."""
    if not path.is_file():
        return "is no longer here: drop it again"
    size = path.stat().st_size
    if size == 0:
        return "is an empty file"
    if size > limits.max_file_bytes:
        most = limits.max_file_bytes / 2**20
        return f"has {size / 2**20:.3g} MB, more than {most:.3g}: shrink it"
    try:
        with no_pillow_limit(), Image.open(path) as opened:
            kind, (width, height) = opened.format, opened.size
    except Exception:  # whatever Pillow raises for damaged files
        return "is not an image that can be read"
    if kind not in _FORMATS:
        return f"is in the format {kind}: convert it to JPEG or PNG"
    if width * height > limits.max_pixels:
        return (
            f"has {width} x {height} pixels, more than {limits.max_pixels / 1e6:.3g} million: "
            "shrink it"
        )
    if min(width, height) < limits.min_side:
        return (
            f"has {width} x {height} pixels: photographs need at least {limits.min_side} on each "
            "side"
        )
    return None


def _unused(name: str, used: set[str]) -> str:
    """Return a name that is not used yet: "a.jpg", then "a (2).jpg"."""
    path, number, found = Path(name), 2, name
    while found in used:
        found = f"{path.stem} ({number}){path.suffix}"
        number += 1
    return found
