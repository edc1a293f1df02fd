"""A line matcher for LIMAP 2."""

from typing import Any

import numpy as np

from gluestick.bridges.limap.descinfo import wireframe_from_descinfo
from gluestick.bridges.limap.extractor import INSTALL, GlueStickLineExtractor
from gluestick.bridges.limap.line_matches import line_matches
from gluestick.bridges.programs import import_program
from gluestick.export.arrays import Arrays, matches_arrays

_matchers: Any = import_program("limap.image.line.base_matcher", install=INSTALL)


class GlueStickLineMatcher(_matchers.BaseMatcher):
    """Matches the lines that the extractor has described.

    Args:
        extractor: The extractor, whose pipeline matches too.
        options: LIMAP's ``BaseMatcherOptions``; its own if left out. ``topk`` 0 matches lines one
            to one; from 1 on, each line is matched with as many that may be parts of the same.
    """

    def __init__(self, extractor: GlueStickLineExtractor, options: Any = None) -> None:
        super().__init__(extractor, options or _matchers.BaseMatcherOptions())
        self.matcher = extractor.matcher

    def get_module_name(self) -> str:
        """Return what LIMAP names folders after."""
        return "gluestick_matching"

    def check_compatibility(self, extractor: Any) -> bool:
        """Return whether an extractor gives what this matcher needs."""
        return isinstance(extractor, GlueStickLineExtractor)

    def match_pair(self, descinfo1: Arrays, descinfo2: Arrays) -> np.ndarray:
        """Match the lines of two images.

        Args:
            descinfo1: What the extractor found in the first image.
            descinfo2: In the second.

        Returns:
            [M, 2] int64, lines of both.

        Raises:
            ValueError: If a descinfo is that of another extractor, or lines are asked for many to
                many of a model that does not judge pairs of lines.
        """
        return self.match_pair_with_scores(descinfo1, descinfo2)[0]

    def match_pair_with_scores(
        self, descinfo1: Arrays, descinfo2: Arrays
    ) -> tuple[np.ndarray, np.ndarray]:
        """Match the lines of two images, as :meth:`match_pair`.

        Returns:
            The pairs [M, 2] int64 and their scores [M] float32 in [0, 1].
        """
        wireframe1, wireframe2 = (
            wireframe_from_descinfo(descinfo) for descinfo in (descinfo1, descinfo2)
        )
        found = self.matcher.match(wireframe1, wireframe2)
        return line_matches(matches_arrays(wireframe1, wireframe2, found), topk=self.topk)
