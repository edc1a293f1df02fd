"""Half, double and mixed precision give the matches of single precision."""

import copy
from collections.abc import Callable

import pytest
import torch
from accelerators import Accelerator
from agreement import Result, assert_same, matched_lines, matched_points, share_kept
from torch import Tensor, nn

from gluestick.pipeline import PointLineMatcher
from gluestick.precision import AtLeastSingle, at_least_single, keeping_type, without_autocast

LEAST = 0.95
"""The share of the matches of single precision that other precisions keep."""


@pytest.fixture(scope="module")
def default() -> PointLineMatcher:
    return PointLineMatcher.from_pretrained(max_num_keypoints=256, max_num_lines=120)


@pytest.fixture(scope="module")
def single(default: PointLineMatcher, leuven: tuple[Tensor, Tensor]) -> Result:
    result = default(*leuven)
    assert len(matched_points(result)) > 80
    assert len(matched_lines(result)) > 30
    return result


def assert_kept(found: Result, expected: Result) -> None:
    for matched in (matched_points, matched_lines):
        ours, theirs = matched(found), matched(expected)
        assert share_kept(ours, theirs, tolerance=0.1) >= LEAST
        assert len(ours) <= len(theirs) / LEAST


def assert_in_pixels(result: Result, *, scores: torch.dtype = torch.float32) -> None:
    for wireframe in result[:2]:
        for value in vars(wireframe).values():
            assert not isinstance(value, Tensor) or value.dtype in (
                torch.float32,
                torch.int64,
                torch.bool,
            )
    assert result[2].matching_scores0.dtype == scores
    assert result[2].line_log_assignment.dtype == scores


@pytest.mark.parametrize(
    ("change", "scores"),
    [("half", torch.float32), ("bfloat16", torch.float32), ("double", torch.float64)],
)
def test_a_converted_matcher(
    default: PointLineMatcher,
    leuven: tuple[Tensor, Tensor],
    single: Result,
    change: str,
    scores: torch.dtype,
) -> None:
    matcher = getattr(copy.deepcopy(default), change)()
    types = {value.dtype for value in matcher.network.transformers.parameters()}
    assert types == {getattr(torch, "float16" if change == "half" else change, torch.float64)}
    found = matcher(*leuven)
    assert_in_pixels(found, scores=scores)
    assert_kept(found, single)
    for ours, theirs in zip(found[:2], single[:2], strict=True):
        assert_same(ours, theirs)


def test_back_in_single_precision_the_heads_are_what_they_were(
    default: PointLineMatcher,
) -> None:
    network = copy.deepcopy(default.network).half().float()
    for name, value in default.network.state_dict().items():
        rounded = network.state_dict()[name]
        if name.startswith(("posenc", "log_assignment", "token_confidence", "line_head")):
            assert torch.equal(rounded, value), name
        else:
            assert torch.equal(rounded, value.half().float()), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(
    default: PointLineMatcher, leuven: tuple[Tensor, Tensor], single: Result, dtype: torch.dtype
) -> None:
    with torch.autocast("cpu", dtype=dtype):
        found = default(*leuven)
    assert_in_pixels(found)
    assert_kept(found, single)


@pytest.mark.parametrize("change", ["half", "bfloat16", "double", "float16", "float"])
def test_on_a_device(
    accelerator: Accelerator,
    default: PointLineMatcher,
    leuven: tuple[Tensor, Tensor],
    single: Result,
    change: str,
) -> None:
    """There, ``float16`` and ``float`` stand for autocast, and for the rounding of TF32."""
    if accelerator.fake is not None:
        pytest.skip("needs a device that computes: --device cuda")
    matcher = copy.deepcopy(default).to(accelerator.device)
    if change == "float16":
        for dtype in (torch.float16, torch.bfloat16):
            with torch.autocast(accelerator.device.type, dtype=dtype):
                found = matcher(*leuven)
            assert_kept(found, single)
    elif change == "float":
        torch.backends.cudnn.allow_tf32 = True
        found = matcher(*leuven)
        points = [matched_points(result) for result in (found, single)]
        assert share_kept(*points, tolerance=1.0) >= 0.8
    else:
        found = getattr(matcher, change)()(*leuven)
        assert_kept(found, single)
    assert found[0].keypoints.dtype == torch.float32


def test_a_training_matcher_stays_what_it_is(
    default: PointLineMatcher, leuven: tuple[Tensor, Tensor], single: Result
) -> None:
    matcher = copy.deepcopy(default).train()
    assert matcher.network.training
    before = {name: value.clone() for name, value in matcher.state_dict().items()}
    matcher(*leuven)
    for name, value in matcher.state_dict().items():
        assert torch.equal(value, before[name]), name
    for ours, theirs in zip(matcher.eval()(*leuven), single, strict=True):
        assert_same(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float32])
def test_values_of_at_least_single_precision(dtype: torch.dtype) -> None:
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    assert at_least_single(torch.ones(2, dtype=dtype)).dtype == expected


def test_autocast_is_off_inside_and_on_again() -> None:
    values = torch.ones(2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with without_autocast(values.device):
            assert (values @ values).dtype == torch.float32
        assert (values @ values).dtype == torch.bfloat16
    with without_autocast(values.device):
        assert (values @ values).dtype == torch.float32


class _Sensitive(AtLeastSingle):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.BatchNorm1d(3)
        nn.init.constant_(self.layer.weight, 1 / 3)


@pytest.mark.parametrize(
    ("convert", "expected"),
    [
        (lambda module: module.half(), torch.float32),
        (lambda module: module.bfloat16(), torch.float32),
        (lambda module: module.to(torch.float16), torch.float32),
        (lambda module: module.to("cpu", torch.bfloat16), torch.float32),
        (lambda module: module.double(), torch.float64),
        (lambda module: module.half().double(), torch.float64),
    ],
)
def test_a_module_of_at_least_single_precision(
    convert: Callable[[nn.Module], nn.Module], expected: torch.dtype
) -> None:
    module = nn.Sequential(_Sensitive(), nn.Linear(3, 1))
    original = module[0].layer.weight.clone()
    convert(module)
    assert module[0].layer.weight.dtype == module[0].layer.running_mean.dtype == expected
    assert torch.equal(module[0].layer.weight, original.to(expected))
    assert module[0].layer.num_batches_tracked.dtype == torch.int64
    assert module[0].layer.weight.requires_grad


def test_a_change_that_keeps_types_still_moves() -> None:
    keep = keeping_type(lambda tensor: tensor.to("meta", torch.float16))
    assert keep(torch.ones(2)).device.type == "meta"
    assert keep(torch.ones(2)).dtype == torch.float32
    made = keeping_type(lambda tensor: torch.zeros(2, dtype=torch.float16))
    assert made(torch.ones(2, device="meta")).dtype == torch.float32
    assert made(torch.ones(2, device="meta")).device.type == "cpu"
