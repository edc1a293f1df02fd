"""Pages that need nothing but themselves: their template, their data, and how they are filled."""

import base64
import io
import json
import os
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np
from PIL import Image

from gluestick.storage.atomic import atomic_path


def resource(name: str) -> str:
    """Return the text of a file that lies in this folder or below."""
    return (
        resources.files("gluestick.visualization.pages").joinpath(name).read_text(encoding="utf-8")
    )


def script_json(data: Any) -> str:
    """Return JSON that no HTML parser can take for the end of a script."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def jpeg_data_uri(
    picture: np.ndarray, *, quality: int = 80, longest_side: int | None = None
) -> str:
    """Return a picture as text that an HTML page shows without another file.

    Args:
        picture: [H, W, 3] uint8, RGB.
        quality: Of the JPEG, up to 95.
        longest_side: Larger pictures are reduced to it, px; None to leave the size.
    """
    image = Image.fromarray(picture)
    if longest_side is not None:
        image.thumbnail((longest_side, longest_side))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def write_page(path: str | os.PathLike[str], template: str, parts: Mapping[str, str]) -> None:
    """Write a page.

    Args:
        path: The file.
        template: The name of its template, in which ``{{NAME}}`` stands for a part.
        parts: The parts by name, already HTML. What they hold is not filled again.

    Raises:
        ValueError: If ``path`` is a folder.
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], resource(template))
    with atomic_path(path) as temporary:
        temporary.write_bytes(page.encode("utf-8", errors="replace"))
