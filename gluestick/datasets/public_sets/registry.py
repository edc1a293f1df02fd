"""Public data sets: where they are, whose they are, and how they get into a folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

CHECKSUMS = "SHA256SUMS"
"""The file in the folder that records what was fetched."""

_CVG = "https://cvg-data.inf.ethz.ch"
_HPATCHES = "https://huggingface.co/datasets/vbalnt/hpatches/resolve/main"


@dataclass(frozen=True, kw_only=True)
class PublicDataset:
    """A data set that anyone may fetch.

    Attributes:
        name: Its name on the command line.
        summary: What it is, in a line.
        url: The address of its archive.
        folder: The folder that the archive holds.
        size: How large the archive is, in words.
        terms: The licence or the terms of use.
        page: Where these stand.
        benchmark: The benchmark that reads it, with the settings it needs.
        sha256: The archive's published checksum, or None where there is none.
        needs_agreement: Whether the owner wants users to agree to the terms first.
    """

    name: str
    summary: str
    url: str
    folder: str
    size: str
    terms: str
    page: str
    benchmark: str
    sha256: str | None = None
    needs_agreement: bool = False

    @property
    def archive(self) -> str:
        """The name of the archive."""
        return self.url.rsplit("/", 1)[-1]


_DATASETS = (
    PublicDataset(
        name="hpatches",
        summary="116 sequences of 6 images with homographies (Balntas et al., CVPR 2017)",
        url=f"{_HPATCHES}/hpatches-sequences-release.zip",
        folder="hpatches-sequences-release",
        size="1.3 GB",
        terms="MIT for the collection; some sequences come from other publications, whose terms "
        "hold (references.txt)",
        page="https://github.com/hpatches/hpatches-dataset",
        benchmark="homography",
        sha256="99cf7e1ca167896eb4ca2fe3d903beff6566243a3c0c8e07a13a2596648ad670",
    ),
    PublicDataset(
        name="megadepth1500",
        summary="1500 pairs of photographs of two landmarks (MegaDepth, CVPR 2018; pairs of "
        "LoFTR), as glue-factory distributes them",
        url=f"{_CVG}/megadepth/megadepth1500.zip",
        folder="megadepth1500",
        size="1.5 GB",
        terms="photographs from the internet, which keep their owners' licences: for research",
        page="https://www.cs.cornell.edu/projects/megadepth",
        benchmark="pose, with corner_origin=true",
    ),
    PublicDataset(
        name="scannet1500",
        summary="1500 pairs of indoor images (ScanNet, CVPR 2017; pairs of SuperGlue), as "
        "glue-factory distributes them",
        url=f"{_CVG}/scannet/scannet1500.zip",
        folder="scannet1500",
        size="about 1 GB",
        terms="ScanNet Terms of Use: non-commercial research and education, after agreeing to "
        "them with the owners",
        page="http://www.scan-net.org",
        benchmark="pose",
        needs_agreement=True,
    ),
    PublicDataset(
        name="eth3d",
        summary="13 scenes with laser scans (Schöps et al., CVPR 2017), undistorted images and "
        "depth, as GlueStick is evaluated on",
        url=f"{_CVG}/SOLD2/SOLD2_ETH3D_undistorted/ETH3D_undistorted.zip",
        folder="ETH3D_undistorted",
        size="5.6 GB",
        terms="CC BY-NC-SA 4.0",
        page="https://www.eth3d.net",
        benchmark="lines3d, with point_distance=3 depth_error=null to compare with publications",
    ),
)

PUBLIC_DATASETS: Mapping[str, PublicDataset] = MappingProxyType(
    {dataset.name: dataset for dataset in _DATASETS}
)
"""Every public data set, by name."""

Report = Callable[[str, int, int | None], None]
"""Is told what is going on, and the bytes that are done and those that there will be."""


def no_report(title: str, done: int, total: int | None) -> None:
    """Show nothing."""


def public_dataset(name: str) -> PublicDataset:
    """Return a data set.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in PUBLIC_DATASETS:
        raise ValueError(f"no data set {name!r}; there are: {', '.join(PUBLIC_DATASETS)}")
    return PUBLIC_DATASETS[name]


def fetch_dataset(dataset: PublicDataset, folder: Path, *, report: Report = no_report) -> Path:
    """Fetch a data set and unpack it.

    A folder that is there already is left as it is. An archive that lies in the folder, fetched
    by other means, is taken in place of fetching it. Where no checksum is published, that of
    the first transfer is recorded in ``SHA256SUMS``, and later ones are compared with it.

    Args:
        dataset: The data set.
        folder: Where its folder is put.
        report: Is told how far it is.

    Returns:
        The folder of the data set.

    Raises:
        ValueError: If it cannot be fetched or unpacked, or is not what it was; the message says
            what to do.
        OSError: If something cannot be written.
    """
    from gluestick.datasets.public_sets import archives
    from gluestick.datasets.public_sets import download as transfer

    target = folder / dataset.folder
    if target.is_dir():
        return target
    archive, records = folder / dataset.archive, folder / CHECKSUMS
    expected = dataset.sha256 or transfer.read_checksums(records).get(dataset.archive)
    if archive.is_file():
        found = transfer.file_sha256(archive)
        if expected not in (None, found):
            raise ValueError(
                f"{archive} has the SHA-256 {found}, and {expected} is expected: remove it, or "
                f"its line in {records} if the data set was published anew"
            )
    else:
        found = transfer.download(
            dataset.url,
            archive,
            sha256=expected,
            report=lambda done, total: report(f"Fetching {dataset.archive}", done, total),
        )
    transfer.record_checksum(records, dataset.archive, found)
    archives.unpack(
        archive,
        folder,
        report=lambda done, total: report(f"Unpacking {dataset.archive}", done, total),
    )
    if not target.is_dir():
        raise ValueError(f"{archive} was unpacked, but holds no folder {dataset.folder}")
    archive.unlink()
    return target
