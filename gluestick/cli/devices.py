"""The device that a command runs on."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CHOICES = "auto, cpu, cuda, cuda:N or mps"

_CUDA = re.compile(r"cuda(:\d+)?")


def select_device(name: str) -> "torch.device":
    """Return the device for ``auto``, ``cpu``, ``cuda``, ``cuda:1`` and so on, or ``mps``.

    ``auto`` is the first CUDA device where there is one, and otherwise the CPU.

    Raises:
        ValueError: If the name is another one, or there is no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ValueError(
            "--device mps needs a Mac with Apple's GPU, and torch finds none: use --device cpu"
        )
    if _CUDA.fullmatch(name):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = int(name.partition(":")[2] or 0)
        if index >= count:
            found = f"finds {count}, from cuda:0 on" if count else "finds none"
            raise ValueError(
                f"--device {name} needs a CUDA device of this number, and torch {found}: "
                "use --device auto"
            )
    elif name not in ("cpu", "mps"):
        raise ValueError(f"--device needs {CHOICES}, found {name!r}")
    return torch.device(name)
