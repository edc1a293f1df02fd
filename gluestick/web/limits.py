"""How much the page takes, and for how long it keeps it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a person may ask of the page.

    Attributes:
        max_photographs: Of so many photographs all pairs are matched; more are refused.
        max_file_bytes: The largest file that is taken.
        max_pixels: The largest width times height.
        min_side: The shortest side that is taken, px.
        max_seconds: After so long no further pair is begun, and what is there is shown.
        max_waiting: How many further requests may wait while one is worked on.
        keep_seconds: After so long without use, what a person dropped and got is deleted.
        max_stored_bytes: No upload is taken while as much is stored.
    """

    max_photographs: int = 8
    max_file_bytes: int = 32 * 2**20
    max_pixels: int = 40_000_000
    min_side: int = 32
    max_seconds: float = 300.0
    max_waiting: int = 8
    keep_seconds: float = 3600.0
    max_stored_bytes: int = 4_000_000_000
