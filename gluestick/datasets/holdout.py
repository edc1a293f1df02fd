"""Which photographs are never trained on, so that one can measure on them."""

import hashlib
from pathlib import PurePath

HELD_OUT_SHARE = 0.05


def is_held_out(path: str | PurePath) -> bool:
    """Tell whether a photograph is held out.

    The choice depends on the file's name alone, not on its folder or on the other files, so it
    stays the same when photographs are added, moved or copied.

    Args:
        path: The photograph, with or without folders.

    Returns:
        True for a fixed 5% of all names: the first 8 bytes of the name's SHA-256, read as a
        fraction, lie below 0.05.
    """
    digest = hashlib.sha256(PurePath(path).name.encode()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT_SHARE * 2**64
