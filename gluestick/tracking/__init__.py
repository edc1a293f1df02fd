"""Points and lines followed through the frames of a video."""

from gluestick.tracking.frames import Frame, FrameSource, open_frames
from gluestick.tracking.tracker import FrameTracks, Tracker, TrackerConfig
from gluestick.tracking.tracks import Tracks, read_tracks_npz, write_tracks_csv, write_tracks_npz

__all__ = [
    "Frame",
    "FrameSource",
    "FrameTracks",
    "Tracker",
    "TrackerConfig",
    "Tracks",
    "open_frames",
    "read_tracks_npz",
    "write_tracks_csv",
    "write_tracks_npz",
]
