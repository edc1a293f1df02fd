"""A device that is none: tensors in the memory of the host that say they are on a GPU.

While :class:`FakeAccelerator` is active, what is moved to or made on ``cuda`` is marked. Marked
tensors give what they give on the CPU, bit for bit; but as on a GPU they cannot be mixed with
others, and whatever makes the host wait for a GPU is counted: reading values or sizes, and
copying from the host.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = torch.device("cuda", 0)

_WAITING = (
    "_linalg_check_errors",
    "_linalg_eigh",
    "_local_scalar_dense",
    "_unique2",
    "bincount",
    "equal",
    "masked_select",
    "nonzero",
    "repeat_interleave",
    "unique_consecutive",
    "unique_dim",
)
"""Operations whose result, or its size, the host has to know, by their names in aten."""

_INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_")

_TAKE_NUMBERS = """
    add and clamp clamp_max clamp_min div eq fill floordiv ge gt iadd imul isub itruediv le lerp
    lt masked_fill maximum minimum mod mul ne or pow radd rmul rsub rtruediv sub truediv where xor
"""
"""Functions that take a tensor of the host without dimensions as a number."""


class Marked(Tensor):
    """A tensor that says it is on the device."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @property
    def device(self) -> torch.device:
        return DEVICE

    @property
    def is_cuda(self) -> bool:
        return True

    @property
    def is_cpu(self) -> bool:
        return False


def mark(value: Any) -> Any:
    """Mark a tensor, or all tensors in a list or tuple."""
    if isinstance(value, Tensor):
        return value if isinstance(value, Marked) else value.as_subclass(Marked)
    if isinstance(value, list):
        return [mark(entry) for entry in value]
    if isinstance(value, tuple) and not isinstance(value, torch.Size):
        entries = [mark(entry) for entry in value]
        return tuple(entries) if type(value) is tuple else type(value)(entries)
    return value


def _unmark(value: Tensor) -> Tensor:
    """Return a copy without the mark."""
    return value.clone().as_subclass(Tensor)


def _tensors(values: Iterable) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _is_device(device: Any) -> bool:
    return device is not None and torch.device(device).type == DEVICE.type


class _Waits(TorchDispatchMode):
    """Counts, while it is told to, the operations for which the host waits."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self.counts = counts
        self.active = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence = (), kwargs: dict | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        if self.active and name in _WAITING:
            self.counts[name] += 1
        elif self.active and name in _INDEXING:
            masks = [index for index in args[1] if index is not None and index.dtype == torch.bool]
            self.counts["index by a mask"] += len(masks)
        return func(*args, **(kwargs or {}))


class FakeAccelerator(TorchFunctionMode):
    """Pretends, as a context manager, that there is a device ``cuda``.

    Attributes:
        counts: How often the host waited for the device, by what it did.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self._waits = _Waits(self.counts)

    @property
    def total(self) -> int:
        """How often the host waited for the device."""
        return sum(self.counts.values())

    def __enter__(self) -> "FakeAccelerator":
        self._waits.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._waits.__exit__(*error)

    def __torch_function__(
        self, func: Callable, types: Any, args: Sequence = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        handler = getattr(self, f"_on_{getattr(func, '__name__', '').strip('_')}", self._on_other)
        return handler(func, args, kwargs)

    def _run(self, func: Callable, args: Sequence, kwargs: dict, *, on_device: bool) -> Any:
        before, self._waits.active = self._waits.active, on_device
        try:
            result = func(*args, **kwargs)
        finally:
            self._waits.active = before
        return mark(result) if on_device else result

    def _on_other(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        device = kwargs.get("device")
        found = list(_tensors((*args, *kwargs.values())))
        marked = [isinstance(value, Marked) for value in found]
        name = getattr(func, "__name__", "").strip("_")
        if any(marked) and name not in ("get", "set"):
            for value, is_marked in zip(found, marked, strict=True):
                if not is_marked and (value.ndim > 0 or name not in _TAKE_NUMBERS.split()):
                    raise RuntimeError(
                        f"{name} expects all tensors to be on the same device, found cuda:0 and cpu"
                    )
        if device is None:
            return self._run(func, args, kwargs, on_device=any(marked))
        return self._run(
            func,
            args,
            kwargs | {"device": "cpu" if _is_device(device) else device},
            on_device=_is_device(device),
        )

    # from one device to another

    def _move(self, value: Tensor, *, to_device: bool) -> Tensor:
        if to_device == isinstance(value, Marked):
            return value
        self.counts["copy from the host" if to_device else "copy to the host"] += 1
        return mark(value.clone()) if to_device else _unmark(value)

    def _on_to(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        value, *rest = args
        to_device, kept = isinstance(value, Marked), []
        for entry in (*rest, kwargs.pop("device", None), kwargs.pop("other", None)):
            if isinstance(entry, Tensor):
                to_device = isinstance(entry, Marked)
                kept.append(entry.dtype)
            elif isinstance(entry, (str, torch.device)):
                to_device = _is_device(entry)
            elif isinstance(entry, torch.dtype):
                kept.append(entry)
        if kept or kwargs:
            value = self._run(func, [value, *kept], kwargs, on_device=isinstance(value, Marked))
        return self._move(value, to_device=to_device)

    def _on_cpu(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        return self._move(args[0], to_device=False)

    def _on_cuda(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        return self._move(args[0], to_device=True)

    def _on_copy(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        if func is not Tensor.copy_:
            return self._on_other(func, args, kwargs)
        target, source, *rest = args
        source = self._move(source, to_device=isinstance(target, Marked))
        return self._run(
            func, [target, source, *rest], kwargs, on_device=isinstance(target, Marked)
        )

    def _on_tensor(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        device = kwargs.pop("device", None)
        result = func(*args, **kwargs)
        return self._move(result, to_device=_is_device(device))

    def _on_as_tensor(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        device = kwargs.pop("device", None)
        already = isinstance(args[0], Marked)
        result = self._run(func, args, kwargs, on_device=already)
        return self._move(result, to_device=already if device is None else _is_device(device))

    def _on_new_tensor(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        device = kwargs.pop("device", args[0].device)
        return self._move(func(*args, **kwargs), to_device=_is_device(device))

    def _on_has_compatible_shallow_copy_type(
        self, func: Callable, args: Sequence, kwargs: dict
    ) -> bool:
        # A module that is moved gets new parameters, rather than new values in the old ones.
        return isinstance(args[0], Marked) == isinstance(args[1], Marked)

    # to the host

    def _on_numpy(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        if isinstance(args[0], Marked):
            raise TypeError("can't convert cuda:0 device type tensor to numpy: use Tensor.cpu()")
        return func(*args, **kwargs)

    _on_array = _on_numpy

    def _on_tolist(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        return self._move(args[0], to_device=False).tolist()

    def _on_format(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        return format(self._move(args[0], to_device=False), *args[1:])

    def _on_iter(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        return iter(self._run(Tensor.unbind, args, kwargs, on_device=isinstance(args[0], Marked)))

    # indices, which may come from the host

    def _checked_index(self, values: Tensor, index: Any) -> None:
        entries = index if isinstance(index, tuple) else (index,)
        for entry in entries:
            is_marked = isinstance(entry, Marked)
            if is_marked and not isinstance(values, Marked):
                raise RuntimeError("indices should be on cpu, as the indexed tensor, found cuda:0")
            has_values = isinstance(entry, (list, np.ndarray)) or (
                isinstance(entry, Tensor) and entry.ndim > 0
            )
            if isinstance(values, Marked) and has_values and not is_marked:
                self.counts["copy from the host"] += 1

    def _on_getitem(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        self._checked_index(*args)
        return self._run(func, args, kwargs, on_device=isinstance(args[0], Marked))

    def _on_setitem(self, func: Callable, args: Sequence, kwargs: dict) -> Any:
        target, index, value = args
        self._checked_index(target, index)
        if isinstance(value, Tensor) and value.ndim > 0:
            if isinstance(value, Marked) != isinstance(target, Marked) and any(_tensors([index])):
                raise RuntimeError("index_put expects values on the device of the indexed tensor")
            value = self._move(value, to_device=isinstance(target, Marked))
        return self._run(func, [target, index, value], kwargs, on_device=isinstance(target, Marked))
