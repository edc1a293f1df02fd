"""Packages found and mapped; everything else is in setup.cfg."""

from pathlib import Path

from setuptools import find_packages, setup

CONFIGS = [f"gluestick.configs.{path.name}" for path in sorted(Path("configs").iterdir())]

setup(
    packages=[*find_packages(include=["gluestick*"]), "gluestick.configs", *CONFIGS],
    package_dir={"gluestick.configs": "configs"},
)
