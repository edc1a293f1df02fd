import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from accelerators import Accelerator, open_accelerator
from torch import Tensor

from gluestick.images.load import load_image
from gluestick.pipeline import PointLineMatcher

ASSETS = Path(__file__).parent.parent / "assets"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device",
        default="fake",
        help="the device that is compared with the CPU, such as cuda; a pretended one by default",
    )


def pytest_configure(config: pytest.Config) -> None:
    torch.set_num_threads(1)  # two images side by side get one each, to the bit as one gets it
    if config.getoption("--device") == "fake":  # no test uses a GPU unless it is asked to
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture
def accelerator(request: pytest.FixtureRequest) -> Iterator[Accelerator]:
    """A device other than the CPU; see the option ``--device``."""
    with open_accelerator(request.config.getoption("--device")) as opened:
        yield opened


@pytest.fixture(scope="session")
def assets() -> Path:
    return ASSETS


@pytest.fixture(scope="session")
def leuven() -> tuple[Tensor, Tensor]:
    return load_image(ASSETS / "leuven_a.jpg"), load_image(ASSETS / "leuven_b.jpg")


@pytest.fixture(scope="session")
def small_matcher() -> PointLineMatcher:
    """The default model with few features, to be quick."""
    return PointLineMatcher.from_pretrained(max_num_keypoints=128, max_num_lines=40)
