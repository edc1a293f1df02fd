"""What people would use otherwise, called like our own matcher.

A peer is a :class:`gluestick.pipeline.PointLineMatcher` with other detectors and another way of
matching, so that images, budgets, estimators and timings are the same for all. Matchers of
vismatch take both images at once and are only :class:`gluestick.matching.protocols.Matcher`.
"""

from gluestick.peers.registry import PEERS, PeerCard, load_peer, peer_card

__all__ = ["PEERS", "PeerCard", "load_peer", "peer_card"]
