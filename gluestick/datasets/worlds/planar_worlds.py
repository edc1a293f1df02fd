"""Pairs of pictures of rooms whose faces show photographs."""

from dataclasses import dataclass

import numpy as np
import torch

from gluestick.datasets.photograph_pool import PhotographPool
from gluestick.datasets.posed.posed_images import PosedImages
from gluestick.datasets.worlds.cameras import as_tensor, draw_views
from gluestick.datasets.worlds.render import render
from gluestick.datasets.worlds.rooms import Room, draw_room


@dataclass(frozen=True, kw_only=True)
class PlanarWorldsConfig:
    """What the pairs look like.

    Attributes:
        width: The width of the images, px.
        height: Their height, px.
        min_baseline: m, how far the cameras are apart at the least.
        max_baseline: m, at the most; rooms are 2.5 to 8 m long.
        min_overlap: The share of one image that the other sees at the least.
        max_overlap: At the most.
        supersampling: How many times as many pixels a row has before they are averaged.
        seed: Decides all pairs, with their indices.
    """

    width: int = 640
    height: int = 480
    min_baseline: float = 0.15
    max_baseline: float = 1.3
    min_overlap: float = 0.2
    max_overlap: float = 0.95
    supersampling: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("width", "height", "supersampling"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs to be at least 1, found {getattr(self, name)}")
        for low, high in (("min_baseline", "max_baseline"), ("min_overlap", "max_overlap")):
            if not 0 <= getattr(self, low) <= getattr(self, high):
                raise ValueError(
                    f"{low} needs to be at least 0 and at most {high}, found "
                    f"{getattr(self, low)} and {getattr(self, high)}"
                )
        if self.seed < 0:
            raise ValueError(f"seed needs to be at least 0, found {self.seed}")


class WorldPair(PosedImages):
    """Two pictures of a room, of one size, with exact depth in metres.

    Around the outlines of curved surfaces it is 0, that is unknown, on purpose: lines found there
    are not on the surface.
    """


class PlanarWorlds:
    """Makes pairs, each from its index alone.

    Args:
        photographs: The textures.
        config: The options.
    """

    def __init__(
        self, photographs: PhotographPool, config: PlanarWorldsConfig | None = None
    ) -> None:
        self.photographs = photographs
        self.config = config or PlanarWorldsConfig()

    def room(self, index: int) -> tuple[Room, np.random.Generator]:
        """Draw the room of a pair, and return what draws the rest of it."""
        rng = np.random.default_rng([self.config.seed, index])
        return draw_room(rng, self.photographs.draw), rng

    def make(self, index: int, *, device: torch.device | str = "cpu") -> WorldPair:
        """Make a pair.

        Args:
            index: Which one, at least 0.
            device: Where it is rendered.

        Returns:
            The pair on that device.

        Raises:
            ValueError: If no photograph can be read.
        """
        config = self.config
        room, rng = self.room(index)
        views = draw_views(
            rng,
            room,
            image_size=(config.width, config.height),
            baseline=(config.min_baseline, config.max_baseline),
            overlap=(config.min_overlap, config.max_overlap),
        )
        first, second = (
            render(room, view, supersampling=config.supersampling, device=device) for view in views
        )
        R_0to1 = views[1].R @ views[0].R.T
        return WorldPair(
            image0=first.image,
            image1=second.image,
            depth0=first.depth,
            depth1=second.depth,
            K0=as_tensor(views[0].K).to(device),
            K1=as_tensor(views[1].K).to(device),
            R_0to1=as_tensor(R_0to1).to(device),
            t_0to1=as_tensor(views[1].t - R_0to1 @ views[0].t).to(device),
        )
