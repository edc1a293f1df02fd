"""A line detector and extractor for LIMAP 2."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from gluestick.bridges.limap.descinfo import (
    descinfo_from_wireframe,
    read_descinfo,
    with_lines,
    write_descinfo,
)
from gluestick.bridges.programs import import_program
from gluestick.export.arrays import Arrays
from gluestick.geometry.pixels import corner_to_centre
from gluestick.pipeline import PointLineMatcher

INSTALL = "pip install pylimap==2.0.0, in an environment of its own"

_detectors: Any = import_program("limap.image.line.base_detector", install=INSTALL)


class GlueStickLineExtractor(_detectors.BaseDetector):
    """Detects lines, and describes these or the lines of another of LIMAP's detectors.

    Args:
        matcher: The pipeline, whose part for single images is used; that of
            :class:`gluestick.bridges.limap.matcher.GlueStickLineMatcher` has to be the same.
        options: LIMAP's ``BaseDetectorOptions``; its own if left out.
    """

    def __init__(self, matcher: PointLineMatcher, options: Any = None) -> None:
        super().__init__(options or _detectors.BaseDetectorOptions())
        self.matcher = matcher

    def get_module_name(self) -> str:
        """Return what LIMAP names folders after."""
        return "gluestick_matching"

    def detect(self, image_path: Path) -> np.ndarray:
        """Return the lines of an image: [L, 5], both ends in COLMAP's px and the score."""
        return self.detect_and_extract(image_path)[0]

    def extract(self, image_path: Path, segs: np.ndarray) -> Arrays:
        """Describe lines of an image.

        Args:
            image_path: The image.
            segs: [L, 4 or more], both ends in COLMAP's px; what follows is not looked at.

        Returns:
            See :func:`gluestick.bridges.limap.descinfo.descinfo_from_wireframe`; the lines are
            in the order of ``segs``.
        """
        lines = corner_to_centre(np.asarray(segs, np.float32)[:, :4].reshape(-1, 2, 2))
        return descinfo_from_wireframe(
            self.matcher.extract(image_path, lines=torch.from_numpy(lines))
        )

    def detect_and_extract(self, image_path: Path) -> tuple[np.ndarray, Arrays]:
        """Return what :meth:`detect` and :meth:`extract` do, in one go."""
        descinfo = descinfo_from_wireframe(self.matcher.extract(image_path))
        ends, scores = descinfo["lines"].reshape(-1, 4), descinfo["line_scores"]
        return np.concatenate([ends, scores[:, None]], axis=1), descinfo

    def sample_descinfo_by_indexes(self, descinfo: Arrays, indexes: Any) -> Arrays:
        """Return the descinfo of some of the lines."""
        return with_lines(descinfo, indexes)

    def get_descinfo_fname(self, descinfo_folder: Path, img_id: int) -> Path:
        """Return where the descinfo of an image is kept."""
        return Path(descinfo_folder) / f"descinfo_{img_id}.npz"

    def save_descinfo(self, descinfo_folder: Path, img_id: int, descinfo: Arrays) -> None:
        """Write the descinfo of an image."""
        write_descinfo(self.get_descinfo_fname(descinfo_folder, img_id), descinfo)

    def read_descinfo(self, descinfo_folder: Path, img_id: int) -> Arrays:
        """Read the descinfo of an image."""
        return read_descinfo(self.get_descinfo_fname(descinfo_folder, img_id))
