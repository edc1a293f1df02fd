import pytest
import torch

from gluestick.geometry.linear_systems import solve_ridge

RIDGE = (0.5, 0.5, 0.05)


def normal_equations(*shape: int, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return systems as they follow from weighted terms, in double precision."""
    generator = torch.Generator().manual_seed(0)
    terms = scale * torch.randn(*shape, 12, 3, generator=generator, dtype=torch.float64)
    terms[..., 2] = 1
    targets = torch.randn(*shape, 12, 2, generator=generator, dtype=torch.float64)
    return terms.mT @ terms, terms.mT @ targets


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 5), (0,)])
def test_it_solves_what_a_library_solves(shape: tuple[int, ...]) -> None:
    normal, targets = normal_equations(*shape)
    ridge = torch.diag(torch.tensor(RIDGE, dtype=torch.float64))
    expected = torch.linalg.solve(normal + ridge, targets)
    torch.testing.assert_close(solve_ridge(normal, targets, ridge=RIDGE), expected)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_single_precision_is_as_good_as_a_library(scale: float) -> None:
    normal, targets = normal_equations(200, scale=scale)
    exact = solve_ridge(normal, targets, ridge=RIDGE)
    normal, targets = normal.float(), targets.float()
    library = torch.linalg.solve(normal + torch.diag(torch.tensor(RIDGE)), targets)
    found = solve_ridge(normal, targets, ridge=RIDGE)
    assert (found - exact).abs().max() <= 4 * (library - exact).abs().max()


def test_a_ridge_alone_decides_where_nothing_is_known() -> None:
    targets = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.5, 0.5]])
    found = solve_ridge(torch.zeros(3, 3), targets, ridge=RIDGE)
    torch.testing.assert_close(found, targets / torch.tensor(RIDGE)[:, None])


def test_points_on_a_line_leave_a_system_solvable() -> None:
    terms = torch.stack([torch.arange(50.0), 2 * torch.arange(50.0), torch.ones(50)], dim=1)
    found = solve_ridge(terms.mT @ terms, terms.mT @ terms[:, :2], ridge=RIDGE)
    torch.testing.assert_close(terms @ found, terms[:, :2], atol=0.1, rtol=0)


def test_gradients() -> None:
    normal, targets = (value.requires_grad_() for value in normal_equations(2))
    assert torch.autograd.gradcheck(
        lambda *system: solve_ridge(*system, ridge=RIDGE), (normal, targets)
    )
