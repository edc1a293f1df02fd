"""Figures from publications, for comparison on the same public data. They are quoted."""

from dataclasses import dataclass
from types import MappingProxyType

GLUE_FACTORY = "the README of github.com/cvg/glue-factory"


@dataclass(frozen=True, kw_only=True)
class Published:
    """One row of a published table.

    Attributes:
        method: What was measured.
        figures: The numbers in percent, in the order of the table's columns.
        source: Where they stand.
    """

    method: str
    figures: tuple[float, ...]
    source: str = GLUE_FACTORY


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """A published table.

    Attributes:
        title: The data and what was measured.
        columns: What the columns hold.
        rows: The rows.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Published, ...]


_PIXELS = ("AUC@1px", "AUC@3px", "AUC@5px")
_DEGREES = ("AUC@5°", "AUC@10°", "AUC@20°")
_SPARSE = "SuperPoint + LSD + GlueStick"

PUBLISHED = MappingProxyType(
    {
        "hpatches": PublishedTable(
            title="HPatches, homographies",
            columns=_PIXELS,
            rows=(
                Published(method="SuperPoint + SuperGlue, PoseLib", figures=(37.0, 68.2, 78.7)),
                Published(method="SuperPoint + LightGlue, PoseLib", figures=(37.1, 67.4, 77.8)),
                Published(method="SuperPoint + LightGlue, DLT", figures=(35.1, 67.2, 77.6)),
                Published(method=f"{_SPARSE}, points and lines", figures=(39.2, 69.7, 79.6)),
                Published(method=f"{_SPARSE}, DLT", figures=(33.6, 66.4, 77.1)),
            ),
        ),
        "megadepth1500": PublishedTable(
            title="MegaDepth-1500, relative pose with PoseLib",
            columns=_DEGREES,
            rows=(
                Published(method="SuperPoint + SuperGlue", figures=(64.8, 77.9, 87.0)),
                Published(method="SuperPoint + LightGlue", figures=(66.8, 79.3, 87.9)),
                Published(method="ALIKED + LightGlue", figures=(66.4, 79.0, 87.5)),
                Published(method="SuperPoint + GlueStick", figures=(64.4, 77.5, 86.5)),
            ),
        ),
        "scannet1500": PublishedTable(
            title="ScanNet-1500, relative pose with PoseLib",
            columns=_DEGREES,
            rows=(
                Published(method="SuperPoint + SuperGlue", figures=(22.7, 39.5, 54.3)),
                Published(method="SuperPoint + LightGlue", figures=(21.9, 39.8, 55.7)),
                Published(method="ALIKED + LightGlue", figures=(19.6, 36.5, 52.8)),
            ),
        ),
        "eth3d": PublishedTable(
            title="ETH3D, matches under parallax",
            columns=("AP of points", "AP of lines"),
            rows=(Published(method=_SPARSE, figures=(77.92, 69.22)),),
        ),
    }
)
"""Published tables by the data set's short name."""
