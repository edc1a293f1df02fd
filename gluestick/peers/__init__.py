"""What people would use otherwise, behind the interface of our own matcher.

A peer is a :class:`gluestick.pipeline.PointLineMatcher` with other detectors and another way of
matching, so that images, budgets, estimators and timings are the same for all.
"""

from gluestick.peers.registry import PEERS, PeerCard, load_matcher, load_peer, matcher_card

__all__ = ["PEERS", "PeerCard", "load_matcher", "load_peer", "matcher_card"]
