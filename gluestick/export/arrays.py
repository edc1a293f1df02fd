"""From the values that flow, batched and padded, to plain numpy arrays of one image or pair."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gluestick.checks import ShapeError
from gluestick.types import Matches, ViewFrame, Wireframe
from gluestick.wireframe.junctions import line_edges

Arrays = dict[str, np.ndarray]

_WIREFRAME_ARRAYS = {
    "image_size",
    "keypoints",
    "scores",
    "descriptors",
    "num_junctions",
    "lines",
    "line_scores",
    "line_junctions",
}


def wireframe_arrays(wireframe: Wireframe, *, index: int | None = None) -> Arrays:
    """Return one image of a wireframe without padding.

    Args:
        wireframe: The nodes and lines of a batch of images.
        index: Which image of the batch; may be left out for a batch of one.

    Returns:
        ``image_size`` [2] int64 (width, height) px; the nodes, junctions first:
        ``keypoints`` [P, 2] px, ``scores`` [P], ``descriptors`` [D, P], float32;
        ``num_junctions`` [] int64; ``lines`` [L, 2, 2] px as the detector gave them,
        ``line_scores`` [L], float32; ``line_junctions`` [L, 2] int64, the nodes at both ends;
        ``side_colors`` [L, 2, C] float32, where the wireframe has them.
        Of an image that was seen in a view also ``view`` [2, 3] float64, the map from px of the
        image to px of the view, and ``view_size`` [2] int64, (width, height) px; where the map
        is a homography, ``view`` holds its first two rows and ``view_perspective`` [3] float64
        the last. Of an image that was resized before features were found also ``resize_scale`` []
        float64.

    Raises:
        ValueError: If the batch has several images and ``index`` is left out, or it is out of
            range.
    """
    row = batch_row(wireframe.batch_size, index, what="images")
    num_nodes = _num_real(wireframe.keypoint_mask[row], "keypoint_mask")
    num_lines = _num_real(wireframe.line_mask[row], "line_mask")
    arrays = {
        "image_size": _numpy(wireframe.image_size[row], np.int64),
        "keypoints": _numpy(wireframe.keypoints[row, :num_nodes], np.float32),
        "scores": _numpy(wireframe.keypoint_scores[row, :num_nodes], np.float32),
        "descriptors": _numpy(wireframe.descriptors[row, :num_nodes].T, np.float32),
        "num_junctions": _numpy(wireframe.num_junctions[row], np.int64),
        "lines": _numpy(wireframe.detected_lines[row, :num_lines], np.float32),
        "line_scores": _numpy(wireframe.line_scores[row, :num_lines], np.float32),
        "line_junctions": _numpy(wireframe.line_junctions[row, :num_lines], np.int64),
    }
    if wireframe.side_colors is not None:
        arrays["side_colors"] = _numpy(wireframe.side_colors[row, :num_lines], np.float32)
    view = wireframe.views[row]
    if view is not None:
        arrays |= {"view": np.array(view.affine), "view_size": np.array(view.size)}
        if not view.is_affine:
            arrays["view_perspective"] = np.array(view.perspective)
    if wireframe.scales[row] != 1:
        arrays["resize_scale"] = np.array(wireframe.scales[row])
    return arrays


def wireframe_from_arrays(arrays: Mapping[str, np.ndarray]) -> Wireframe:
    """Return the wireframe of one image from what :func:`wireframe_arrays` gives.

    Args:
        arrays: The arrays of :func:`wireframe_arrays`; without ``view`` the image was seen as
            it is, and without ``resize_scale`` at its own size. The last ``num_view_keypoints``
            nodes and ``num_view_lines`` lines, where these are there, were found in other views
            and are left out.

    Returns:
        The wireframe, a batch of one, on the CPU.

    Raises:
        ValueError: If an array is missing, as in files of other programs, or does not fit.
    """
    missing = sorted(_WIREFRAME_ARRAYS - arrays.keys())
    if missing:
        raise ValueError(
            f"a wireframe needs {', '.join(missing)}, which these features lack: extract them "
            "with gluestick"
        )
    num_nodes = len(arrays["keypoints"]) - int(arrays.get("num_view_keypoints", 0))
    num_lines = len(arrays["lines"]) - int(arrays.get("num_view_lines", 0))
    keypoints = arrays["keypoints"][:num_nodes]
    line_junctions = arrays["line_junctions"][:num_lines]
    if line_junctions.size and not 0 <= line_junctions.min() <= line_junctions.max() < len(
        keypoints
    ):
        raise ValueError(f"line_junctions needs indices from 0 to {len(keypoints) - 1}")

    def single(array: np.ndarray) -> Tensor:
        return torch.as_tensor(np.array(array))[None]

    return Wireframe(
        image_size=single(arrays["image_size"]),
        keypoints=single(keypoints),
        keypoint_scores=single(arrays["scores"][:num_nodes]),
        descriptors=single(arrays["descriptors"].T[:num_nodes]),
        keypoint_mask=torch.ones(1, len(keypoints), dtype=torch.bool),
        num_junctions=single(arrays["num_junctions"]),
        lines=single(keypoints[line_junctions]),
        detected_lines=single(arrays["lines"][:num_lines]),
        line_scores=single(arrays["line_scores"][:num_lines]),
        line_mask=torch.ones(1, len(line_junctions), dtype=torch.bool),
        line_junctions=single(line_junctions),
        edge_index=torch.from_numpy(line_edges(line_junctions)),
        side_colors=(
            single(arrays["side_colors"][:num_lines]) if "side_colors" in arrays else None
        ),
        views=(_view(arrays),),
        scales=(float(arrays.get("resize_scale", 1.0)),),
    )


def _view(arrays: Mapping[str, np.ndarray]) -> ViewFrame | None:
    if "view" not in arrays:
        return None
    first, second = np.asarray(arrays["view"], np.float64).tolist()
    width, height = np.asarray(arrays["view_size"], np.int64).tolist()
    last = np.asarray(arrays.get("view_perspective", (0, 0, 1)), np.float64).tolist()
    return ViewFrame(
        affine=(tuple(first), tuple(second)), size=(width, height), perspective=tuple(last)
    )


def matches_arrays(
    wireframe0: Wireframe, wireframe1: Wireframe, matches: Matches, *, index: int | None = None
) -> Arrays:
    """Return the matches of one pair without padding.

    Args:
        wireframe0: The wireframe of image 0, as given to the matcher.
        wireframe1: The wireframe of image 1.
        matches: The matches between them.
        index: Which pair of the batch; may be left out for a batch of one.

    Returns:
        ``matches0`` [P0] int64 (-1 where unmatched) and ``matching_scores0`` [P0] float32,
        ``line_matches0`` [L0] and ``line_matching_scores0`` [L0], the same with suffix 1, and,
        where the network reports junctions apart, ``junction_matches0`` [P0] and
        ``junction_matching_scores0`` [P0] with theirs; and, where it judges pairs of lines by
        themselves, those that may be parts of one line: ``line_pairs`` [S, 2] int64, lines of
        image 0 and image 1, ``line_pair_probabilities`` [S] and ``line_pair_overlaps`` [S].

    Raises:
        ValueError: If the batch has several pairs and ``index`` is left out, it is out of
            range, or the wireframes are not those that were matched.
    """
    row = batch_row(matches.matches0.shape[0], index, what="pairs")
    arrays: Arrays = {}
    for side, wireframe in enumerate((wireframe0, wireframe1)):
        sizes = (wireframe.batch_size, wireframe.keypoints.shape[1], wireframe.lines.shape[1])
        nodes, lines = getattr(matches, f"matches{side}"), getattr(matches, f"line_matches{side}")
        if sizes != (*nodes.shape, lines.shape[1]):
            raise ShapeError(
                f"wireframe{side} has [B, P, L] = {list(sizes)}, but the matches are for "
                f"{[*nodes.shape, lines.shape[1]]}: give the wireframes that were matched"
            )
        num_nodes = _num_real(wireframe.keypoint_mask[row], "keypoint_mask")
        num_lines = _num_real(wireframe.line_mask[row], "line_mask")
        for prefix, count in (("", num_nodes), ("junction_", num_nodes), ("line_", num_lines)):
            indices = getattr(matches, f"{prefix}matches{side}")
            scores = getattr(matches, f"{prefix}matching_scores{side}")
            if indices is None:
                continue
            arrays[f"{prefix}matches{side}"] = _numpy(indices[row, :count], np.int64)
            arrays[f"{prefix}matching_scores{side}"] = _numpy(scores[row, :count], np.float32)
    if matches.line_pair_indices is not None:
        own = matches.line_pair_indices[:, 0] == row
        arrays["line_pairs"] = _numpy(matches.line_pair_indices[own, 1:], np.int64)
        for name in ("line_pair_probabilities", "line_pair_overlaps"):
            arrays[name] = _numpy(getattr(matches, name)[own], np.float32)
    check_indices(
        arrays,
        num_nodes=(len(arrays["matches0"]), len(arrays["matches1"])),
        num_lines=(len(arrays["line_matches0"]), len(arrays["line_matches1"])),
    )
    return arrays


def pair_arrays(
    wireframe0: Wireframe, wireframe1: Wireframe, matches: Matches, *, index: int | None = None
) -> Arrays:
    """Return one pair as the flat dictionary that users of LightGlue and hloc know.

    Arguments and errors are those of :func:`matches_arrays`.

    Returns:
        What :func:`matches_arrays` gives, and for each image, with suffix 0 or 1:
        ``keypoints0`` [P0, 2] px, ``keypoint_scores0`` [P0], ``descriptors0`` [P0, D],
        ``image_size0`` [2] (width, height) px, ``lines0`` [L0, 2, 2] px, ``line_scores0`` [L0];
        and the matched pairs alone: ``matches`` [S, 2] int64, ``scores`` [S],
        ``line_matches`` [T, 2] int64, ``line_scores`` [T].
    """
    arrays = matches_arrays(wireframe0, wireframe1, matches, index=index)
    for side, wireframe in enumerate((wireframe0, wireframe1)):
        own = wireframe_arrays(wireframe, index=index)
        own["descriptors"] = np.ascontiguousarray(own["descriptors"].T)
        own["keypoint_scores"] = own.pop("scores")
        names = ("keypoints", "keypoint_scores", "descriptors", "image_size", "lines")
        arrays |= {f"{name}{side}": own[name] for name in (*names, "line_scores")}
    for prefix, pairs, scores in (
        ("", "matches", "scores"),
        ("line_", "line_matches", "line_scores"),
    ):
        matched = np.flatnonzero(arrays[f"{prefix}matches0"] > -1)
        arrays[pairs] = np.stack([matched, arrays[f"{prefix}matches0"][matched]], axis=1)
        arrays[scores] = arrays[f"{prefix}matching_scores0"][matched]
    return arrays


def check_indices(
    arrays: Mapping[str, np.ndarray], *, num_nodes: tuple[int, int], num_lines: tuple[int, int]
) -> None:
    """Check that every match is -1 or points at something that exists.

    Args:
        arrays: Any arrays; those named ``matches0``, ``junction_matches1`` and so on are checked,
            and ``line_pairs``.
        num_nodes: The number of nodes of both images.
        num_lines: The number of lines of both images.

    Raises:
        ValueError: If an index is out of range.
    """
    for prefix, counts in (("", num_nodes), ("junction_", num_nodes), ("line_", num_lines)):
        for side in (0, 1):
            name = f"{prefix}matches{side}"
            indices, count = arrays.get(name), counts[1 - side]
            if indices is None or indices.size == 0:
                continue
            if indices.min() < -1 or indices.max() >= count:
                raise ValueError(
                    f"{name} needs indices from -1 to {count - 1}, "
                    f"found {indices.min()} to {indices.max()}"
                )
    pairs = arrays.get("line_pairs")
    if pairs is not None and pairs.size and (pairs.min() < 0 or (pairs.max(0) >= num_lines).any()):
        raise ValueError(
            f"line_pairs needs indices below {list(num_lines)}, found {pairs.min(0).tolist()} to "
            f"{pairs.max(0).tolist()}"
        )


def batch_row(batch_size: int, index: int | None, *, what: str) -> int:
    """Return the row of a batch that is meant.

    Args:
        batch_size: The number of rows.
        index: The row, or ``None`` for the only one.
        what: What the rows are, for the message.

    Returns:
        The row.

    Raises:
        ValueError: If ``index`` is left out of several, or is out of range.
    """
    if index is None:
        if batch_size != 1:
            raise ValueError(f"the batch has {batch_size} {what}: say which one with index=")
        return 0
    if not 0 <= index < batch_size:
        raise ValueError(f"index needs to be from 0 to {batch_size - 1}, found {index}")
    return index


def _num_real(mask: Tensor, name: str) -> int:
    count = int(mask.sum())
    if not bool(mask[:count].all()):
        raise ValueError(f"{name} needs the padding behind everything real, found it in between")
    return count


def _numpy(tensor: Tensor, dtype: type) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():  # numpy has no bfloat16
        tensor = tensor.float()
    return np.array(tensor.numpy(), dtype=dtype, order="C")
