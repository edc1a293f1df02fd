"""What stays in single precision when a model runs in half precision or under autocast."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

_HALF = (torch.float16, torch.bfloat16)

_WITH_AUTOCAST = frozenset(
    kind for kind in ("cpu", "cuda", "mps", "xpu") if torch.amp.is_autocast_available(kind)
)
"""Asked for once, since torch.compile cannot ask in every version of torch."""

Detect = TypeVar("Detect", bound=Callable[..., Any])


def at_least_single(values: Tensor) -> Tensor:
    """Convert half precision to single; other types stay."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


@contextmanager
def without_autocast(device: torch.device) -> Iterator[None]:
    """Run the body in the precision of its values, whatever autocast the caller has set.

    Args:
        device: Where the body computes, besides the CPU.
    """
    with ExitStack() as stack:
        for kind in {"cpu", device.type}:
            if kind in _WITH_AUTOCAST and torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


def never_autocast(detect: Detect) -> Detect:
    """Make a method whose first argument is a tensor compute without autocast."""

    @wraps(detect)
    def detect_precisely(detector: Any, image: Tensor, *args: Any, **kwargs: Any) -> Any:
        with without_autocast(image.device):
            return detect(detector, image, *args, **kwargs)

    return cast(Detect, detect_precisely)


def keeping_type(
    change: Callable[[Tensor], Tensor], *, refused: Collection[torch.dtype] | None = None
) -> Callable[[Tensor], Tensor]:
    """Make a change of parameters, such as ``module.half()`` applies, leave their type alone.

    Args:
        change: Maps a parameter to its new value, on any device and of any type.
        refused: The types that parameters do not get; None for all but their own.

    Returns:
        The change as far as it is allowed; otherwise it only moves parameters between devices.
    """

    def moved(tensor: Tensor) -> Tensor:
        changed = change(tensor)
        allowed = refused is not None and changed.dtype not in refused
        if allowed or changed.dtype == tensor.dtype:
            return changed
        return changed.to(tensor.dtype) if tensor.is_meta else tensor.to(changed.device)

    return moved


class AtLeastSingle(nn.Module):
    """A module whose parameters ``half()`` and ``bfloat16()`` leave in single precision.

    Its methods take values of any type with :func:`at_least_single` and compute under
    :func:`without_autocast`. ``double()`` converts it as any other module.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Any:
        return super()._apply(keeping_type(fn, refused=_HALF), *args, **kwargs)
