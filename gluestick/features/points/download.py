"""Weights that another library downloads, only when it is asked to."""

from collections.abc import Callable

from torch import Tensor, nn

DOWNLOAD = "download"
"""Given in place of a file, asks for the published weights to be fetched."""


def fetch_weights(name: str, fetch: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """Return the weights of a network that another library downloads.

    Args:
        name: What is fetched, for the error message.
        fetch: Downloads and returns the network.

    Raises:
        ValueError: If the download fails.
    """
    try:
        return fetch().state_dict()
    except Exception as error:
        raise ValueError(
            f"the weights of {name} cannot be downloaded ({error}): fetch the file by other means "
            "and pass its path"
        ) from error
