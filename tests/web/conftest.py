from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from gluestick.web.limits import Limits
from gluestick.web.matching import MatchingService


@pytest.fixture
def small(tmp_path: Path, assets: Path) -> Callable[[str], Path]:
    """Writes one of the photographs in assets, small, and returns its path."""

    def write(name: str) -> Path:
        path = tmp_path / "small" / name
        path.parent.mkdir(exist_ok=True)
        with Image.open(assets / name) as image:
            image.resize((320, 240)).save(path, quality=95)
        return path

    return write


@pytest.fixture(scope="session")
def service() -> MatchingService:
    return MatchingService(device=torch.device("cpu"), threads=1, limits=Limits())
