"""What a network has to offer to match wireframes."""

from typing import Protocol

from gluestick.types import Matches, Wireframe


class MatchingNetwork(Protocol):
    """Maps two batches of wireframes to matches; implementations are modules of torch."""

    def __call__(self, wireframe0: Wireframe, wireframe1: Wireframe) -> Matches:
        """Match two batches of wireframes, pair by pair.

        Args:
            wireframe0: The wireframes of the images 0.
            wireframe1: The wireframes of the images 1, as many.

        Returns:
            The matches; a batch gives what its pairs give one by one.

        Raises:
            ValueError: If the batches or the descriptors do not fit.
        """
