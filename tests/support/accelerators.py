"""The device that tests of devices compare with the CPU: a GPU, or one that is pretended."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from fake_accelerator import DEVICE, FakeAccelerator


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """A device other than the CPU.

    Attributes:
        device: What to move things to.
        fake: What pretends that there is such a device; None if there is.
    """

    device: torch.device
    fake: FakeAccelerator | None = None

    def count_waits(self, run: Callable[[], object]) -> int:
        """Return how often the host waits for the device while a function runs."""
        if self.fake is not None:
            before = self.fake.total
            run()
            return self.fake.total - before
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                run()
            finally:
                torch.cuda.set_sync_debug_mode("default")
        return sum("synchronizing CUDA operation" in str(warning.message) for warning in caught)


@contextmanager
def open_accelerator(name: str) -> Iterator[Accelerator]:
    """Make a device available: ``fake``, or one that torch knows.

    Convolutions do not round to TF32 meanwhile, so that results can be compared.
    """
    if name == "fake":
        with FakeAccelerator() as fake:
            yield Accelerator(device=DEVICE, fake=fake)
        return
    rounding = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield Accelerator(device=torch.device(name))
    finally:
        torch.backends.cudnn.allow_tf32 = rounding
