"""Shape checks that bind letters across arrays."""

from collections.abc import Mapping
from typing import Protocol


class ShapeError(ValueError):
    """An array does not have the shape that its role requires."""


class HasShape(Protocol):
    """Anything with a shape: a torch tensor or a numpy array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of all dimensions."""


def check_shapes(
    owner: str, arrays: Mapping[str, HasShape], specs: Mapping[str, str]
) -> dict[str, int]:
    """Check named arrays against specifications that share letters.

    A specification such as ``"B N 2"`` lists the dimensions: a number must match
    exactly, a word stands for one size wherever it occurs in any of the arrays, and
    ``P+1`` stands for the size bound to ``P`` plus one (``P`` must be bound earlier).

    Args:
        owner: What is being checked, for the error message.
        arrays: The arrays by name.
        specs: The specification of each array by the same names.

    Returns:
        The size bound to each word.

    Raises:
        ShapeError: If a rank or a size does not fit; the message names the array, its
            shape and what was needed.
    """
    bound: dict[str, int] = {}
    for name, spec in specs.items():
        shape = tuple(arrays[name].shape)
        dims = spec.split()
        if len(shape) != len(dims):
            raise ShapeError(f"{owner}.{name} needs the shape [{spec}], found {list(shape)}")
        for size, dim in zip(shape, dims, strict=True):
            if dim.isdigit():
                needed = int(dim)
            elif dim.endswith("+1"):
                needed = bound[dim[:-2]] + 1
            else:
                needed = bound.setdefault(dim, size)
            if size != needed:
                raise ShapeError(
                    f"{owner}.{name} needs the shape [{spec}] with {dim} = {needed}, "
                    f"found {list(shape)}"
                )
    return bound
