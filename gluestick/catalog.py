"""Everything that can be named and matches images: the models and their peers."""

from pathlib import Path

from gluestick.matching.protocols import Matcher
from gluestick.peers.registry import PEERS, PeerCard, is_peer, load_peer, peer_card
from gluestick.peers.vismatch import PREFIX as VISMATCH_PREFIX
from gluestick.pipeline import PointLineMatcher
from gluestick.pipeline_config import PipelineConfig
from gluestick.pretrained import MODELS, ModelCard


def matcher_card(name: str) -> ModelCard | PeerCard:
    """Return the card of a named model or peer.

    Args:
        name: A name of :data:`gluestick.pretrained.MODELS` or of
            :data:`gluestick.peers.registry.PEERS`, or ``vismatch:NAME``.

    Raises:
        ValueError: If there is no model and no peer of that name.
    """
    if name in MODELS:
        return MODELS[name]
    if not is_peer(name):
        raise ValueError(
            f"no model {name!r}; there are the models {', '.join(MODELS)} and the peers "
            f"{', '.join(PEERS)} and {VISMATCH_PREFIX}NAME"
        )
    return peer_card(name)


def load_matcher(
    name: str,
    *,
    weights: str | Path | None = None,
    detector_weights: str | Path | None = None,
    weights_dir: str | Path | None = None,
    config: PipelineConfig | None = None,
    max_num_keypoints: int | None = None,
    max_num_lines: int | None = None,
) -> Matcher:
    """Load a model or a peer by its name.

    Args:
        name: The name; see :func:`matcher_card`.
        weights: A file of network weights.
        detector_weights: A file of point detector weights.
        weights_dir: The folder of the peers' weights; see
            :func:`gluestick.peers.registry.load_peer`.
        config: The whole configuration in place of the named one.
        max_num_keypoints: How many keypoints are kept per image.
        max_num_lines: How many line segments are kept per image.

    Returns:
        The matcher in evaluation mode on the CPU: a
        :class:`gluestick.pipeline.PointLineMatcher`, except for matchers of vismatch.

    Raises:
        ValueError: If there is no such name, or weights are missing or do not fit.
    """
    if isinstance(matcher_card(name), ModelCard):
        return PointLineMatcher.from_pretrained(
            name,
            weights=weights,
            detector_weights=detector_weights,
            config=config,
            max_num_keypoints=max_num_keypoints,
            max_num_lines=max_num_lines,
        )
    return load_peer(
        name,
        weights=weights,
        detector_weights=detector_weights,
        weights_dir=weights_dir,
        config=config,
        max_num_keypoints=max_num_keypoints,
        max_num_lines=max_num_lines,
    )
