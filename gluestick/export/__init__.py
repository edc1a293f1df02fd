"""Files that other programs read: hloc's HDF5 layout and numpy archives."""

from gluestick.export.arrays import matches_arrays, pair_arrays, wireframe_arrays
from gluestick.export.features_h5 import (
    FeaturesReader,
    FeaturesWriter,
    read_features_h5,
    write_features_h5,
)
from gluestick.export.hloc_folder import HlocFolder, export_hloc_folder
from gluestick.export.matches_h5 import (
    MatchesReader,
    MatchesWriter,
    read_matches_h5,
    write_matches_h5,
)
from gluestick.export.matches_npz import read_matches_npz, write_matches_npz

__all__ = [
    "FeaturesReader",
    "FeaturesWriter",
    "HlocFolder",
    "MatchesReader",
    "MatchesWriter",
    "export_hloc_folder",
    "matches_arrays",
    "pair_arrays",
    "read_features_h5",
    "read_matches_h5",
    "read_matches_npz",
    "wireframe_arrays",
    "write_features_h5",
    "write_matches_h5",
    "write_matches_npz",
]
