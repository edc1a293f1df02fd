"""Rooms made of photographs: posed pairs with exact depth, occlusions and depth edges."""

from gluestick.datasets.worlds.planar_worlds import PlanarWorlds, PlanarWorldsConfig, WorldPair

__all__ = ["PlanarWorlds", "PlanarWorldsConfig", "WorldPair"]
