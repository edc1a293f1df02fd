"""Small systems of linear equations, solved in closed form.

A library's solver checks on the host whether each matrix can be inverted, for which it waits on a
GPU, and takes longer than the arithmetic where matrices are this small.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def solve_ridge(normal: Tensor, targets: Tensor, *, ridge: Sequence[float]) -> Tensor:
    """Solve (normal + diag(ridge)) x = targets for three unknowns, by Cholesky's decomposition.

    It is written out as L D L^T (Golub and Van Loan, "Matrix Computations", section 4.1), and
    differentiable.

    Args:
        normal: [..., 3, 3], symmetric and positive semi-definite; what is below the diagonal is
            not looked at.
        targets: [..., 3, C], with the same leading sizes.
        ridge: Three positive numbers, which make the sum positive definite.

    Returns:
        [..., 3, C].
    """
    (first, b, c), (_, second, e), (_, _, third) = (
        row[..., None].unbind(-2) for row in normal.unbind(-2)
    )  # [..., 1] each
    first = first + ridge[0]
    lower1, lower2 = b / first, c / first
    second = second + ridge[1] - lower1 * b
    rest = e - lower2 * b
    lower3 = rest / second
    third = third + ridge[2] - lower2 * c - lower3 * rest

    x, y, z = targets.unbind(-2)  # [..., C] each
    y = y - lower1 * x
    z = z - lower2 * x - lower3 * y
    z = z / third
    y = y / second - lower3 * z
    x = x / first - lower1 * y - lower2 * z
    return torch.stack([x, y, z], dim=-2)
