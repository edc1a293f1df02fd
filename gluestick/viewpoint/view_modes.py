"""How the view is chosen in which the images of a pair are seen, by name."""

from typing import Literal

View = Literal["none", "turn", "turns", "auto", "exhaustive"]
"""``none``: images are taken as they are. ``turn``: where a vote is confident that image 1 is
turned against image 0, it is turned back; where matching then finds next to nothing, another turn
is searched with the detector, and kept if it matches better. ``turns``: as ``turn``, and wherever
the vote is not confident, the turn that the search finds and the four upright turns are all tried
with the matcher itself. ``auto``: as ``turn``, and where the matches say that one image is much
closer or shows things from another side, or where next to nothing matches and a search with the
detector says so, both are matched again in views that show the same alike. ``exhaustive``: both
``turns`` and ``auto``, and wherever the vote is not confident, the search of ``auto`` is made."""

VIEWS = ("none", "turn", "turns", "auto", "exhaustive")

Rotation = Literal["none", "auto", "exhaustive"]
"""The names of an earlier version, which knew turns only."""

VIEW_OF_ROTATION: dict[Rotation, View] = {"none": "none", "auto": "turn", "exhaustive": "turns"}

ROTATION_OF_VIEW: dict[View, Rotation] = {
    "none": "none",
    "turn": "auto",
    "turns": "exhaustive",
    "auto": "auto",
    "exhaustive": "exhaustive",
}
"""What a view means for turns alone."""


def check_view(view: View) -> View:
    """Return a way to choose views if there is such a one.

    Raises:
        ValueError: If there is not.
    """
    if view not in VIEWS:
        raise ValueError(f"view needs to be one of {', '.join(VIEWS)}, found {view!r}")
    return view


def view_of_rotation(rotation: Rotation) -> View:
    """Return the view that an earlier name means.

    Raises:
        ValueError: If there is no such name.
    """
    if rotation not in VIEW_OF_ROTATION:
        raise ValueError(
            f"rotation needs to be one of {', '.join(VIEW_OF_ROTATION)}, found {rotation!r}"
        )
    return VIEW_OF_ROTATION[rotation]


def tries_every_turn(view: View) -> bool:
    """Tell whether the upright turns are tried where the vote is not confident."""
    return view in ("turns", "exhaustive")


def warps(view: View) -> bool:
    """Tell whether images are seen closer or from another side, too."""
    return view in ("auto", "exhaustive")
