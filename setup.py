"""Packages found and mapped; everything else is in setup.cfg."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["gluestick*"]), "gluestick.configs"],
    package_dir={"gluestick.configs": "configs"},
)
