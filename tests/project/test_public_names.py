import subprocess
import sys

import pytest

import gluestick
from gluestick.images.load import load_image
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Matches

SLOW = ("kornia", "scipy", "matplotlib", "omegaconf", "torch_geometric", "pycolmap", "skimage")


def modules_after(code: str) -> set[str]:
    """Return what a fresh interpreter has imported after running some code."""
    show = f"{code}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", show], check=True, capture_output=True, text=True)
    return set(run.stdout.split())


def test_the_package_alone_is_light() -> None:
    modules = modules_after("import gluestick")
    assert "gluestick" in modules
    assert not {"torch", "numpy", *SLOW} & modules


def test_every_public_name_comes_without_what_takes_long() -> None:
    modules = modules_after("from gluestick import *\nPointLineMatcher, load_image, Matches")
    assert {"torch", "gluestick.pipeline"} <= modules
    assert not {*SLOW} & modules


def test_names_are_those_of_their_modules() -> None:
    assert gluestick.PointLineMatcher is PointLineMatcher
    assert gluestick.load_image is load_image
    assert gluestick.Matches is Matches
    for name in gluestick.__all__:
        assert getattr(gluestick, name).__module__.startswith("gluestick.")
        assert name in dir(gluestick)


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="module 'gluestick' has no attribute 'Match'"):
        gluestick.Match  # noqa: B018
