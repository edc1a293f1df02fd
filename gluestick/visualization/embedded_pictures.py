"""Pictures that HTML pages show without another file."""

import base64
import io

import numpy as np
from PIL import Image


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
