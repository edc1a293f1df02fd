"""Whether what the files of a folder hold fits what is to be added to them."""

from collections.abc import Mapping, Sequence
from typing import Any

from gluestick.export.features_h5 import FeaturesWriter
from gluestick.export.folder_images import NamePair, Progress, no_progress
from gluestick.export.matches_h5 import MatchesWriter
from gluestick.export.origins import differences

_REMEDY = "choose another output folder, or remove the file"


def check_features(
    stored: FeaturesWriter, images: Mapping[str, str], settings: Mapping[str, Any]
) -> None:
    """Check that all features in a file come from some settings and from the images as they are.

    Args:
        stored: The file.
        images: The fingerprints of the images by their names.
        settings: What :func:`gluestick.export.origins.feature_settings` returned.

    Raises:
        ValueError: If not; the message says what differs.
    """
    for name in stored.names():
        origin = stored.origin(name)
        if not origin:
            raise ValueError(
                f"{stored.path} has features of {name} that do not say where they come from: "
                f"{_REMEDY}"
            )
        differ = differences(origin["settings"], settings)
        if differ:
            raise ValueError(f"{stored.path} has features of another run ({differ}): {_REMEDY}")
        image = origin.get("image")
        if images.get(name, image) != image:
            raise ValueError(
                f"{stored.path} has features of another image of the name {name}: {_REMEDY}"
            )


def check_matches(
    stored: FeaturesWriter,
    matched: MatchesWriter,
    pairs: Sequence[NamePair],
    settings: Mapping[str, Any],
    *,
    progress: Progress = no_progress,
) -> None:
    """Check that the matches in a file come from some settings and from features in another.

    Args:
        stored: The features; images that are not in it are not checked.
        matched: The matches; pairs that are not in it are not checked.
        pairs: The pairs to check.
        settings: What :func:`gluestick.export.origins.matching_settings` returned.
        progress: Shows how far it is.

    Raises:
        ValueError: If not; the message says what differs.
    """
    earlier = [pair for pair in pairs if pair in matched]
    names = {name for pair in earlier for name in pair}
    features = {name: stored.origin(name).get("features") for name in names}
    for pair in progress(earlier, "Earlier matches"):
        origin = matched.origin(*pair)
        if not origin:
            raise ValueError(
                f"{matched.path} has matches of {' and '.join(pair)} that do not say where they "
                f"come from: {_REMEDY}"
            )
        differ = differences(origin["settings"], settings)
        if differ:
            raise ValueError(f"{matched.path} has matches of another run ({differ}): {_REMEDY}")
        for name in pair:
            if features[name] and origin.get("features", {}).get(name) != features[name]:
                raise ValueError(
                    f"{matched.path} has matches of other features of {name} than those in "
                    f"{stored.path}: {_REMEDY}"
                )
