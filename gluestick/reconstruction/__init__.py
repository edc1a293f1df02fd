"""A folder of photographs becomes a COLMAP database and sparse models."""

from gluestick.reconstruction.folder import Reconstruction, reconstruct
from gluestick.reconstruction.inputs import ReconstructionConfig, ReconstructionInputs

__all__ = ["Reconstruction", "ReconstructionConfig", "ReconstructionInputs", "reconstruct"]
