"""What the page says about a pair, as HTML without anything that a file name could add."""

from collections.abc import Sequence
from html import escape
from typing import Any

from gluestick.web.matching import MatchedPair, Outcome

TABLE_HEADERS = ("pair", "verdict", "points", "lines")

_SLIGHT = 0.02
"""The change of size and shape that is not worth saying."""


def pair_label(pair: MatchedPair) -> str:
    """Return what a pair is called in a list."""
    return " – ".join(pair.names)


def table_rows(outcome: Outcome) -> list[list[str]]:
    """Return a row of four texts per pair: names, verdict, inliers among points and lines."""
    return [[pair_label(pair), _short_verdict(pair), *_numbers(pair)] for pair in outcome.pairs]


def pair_html(pair: MatchedPair) -> str:
    """Return the verdict of a pair, its counts and the view that was found."""
    record = pair.record
    if record is None:
        return f'<div class="verdict bad">{escape(pair.fault)}</div>'
    kind = "good" if record["trusted"] else "bad"
    rows = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(f"<td>{value}</td>" for value in _count_cells(count))
        + "</tr>"
        for name, count in record["counts"].items()
    )
    seconds = sum(record["seconds"].values())
    return (
        f'<div class="verdict {kind}">{escape(record["verdict"])}</div>'
        f'<table class="counts"><tr><th></th><th>image 1</th><th>image 2</th><th>matched</th>'
        f"<th>inliers</th></tr>{rows}</table>"
        f"<p>{escape(_view_sentence(record))} {seconds:.1f} s.</p>"
    )


def lines_html(lines: Sequence[str], kind: str) -> str:
    """Return lines of text as a list of the style ``kind``; nothing for no line."""
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="{kind}">{items}</ul>'


def frame_html(address: str, title: str) -> str:
    """Return a frame that shows a page of this server, which can reach nothing from within."""
    return (
        f'<iframe src="{escape(address)}" title="{escape(title)}" class="page" '
        'sandbox="allow-scripts allow-downloads" referrerpolicy="no-referrer"></iframe>'
    )


def _numbers(pair: MatchedPair) -> list[str]:
    counts = pair.record["counts"] if pair.record else {}
    kinds = [name for name in counts if name.startswith("keypoints")][:1] or ["keypoints"]
    return [_inliers(counts.get(kind)) for kind in (*kinds, "lines")]


def _inliers(count: dict[str, Any] | None) -> str:
    if count is None:
        return "–"
    if count["inliers"] is None:
        return str(count["matched"])
    return f"{count['inliers']} of {count['matched']}"


def _short_verdict(pair: MatchedPair) -> str:
    if pair.record is None:
        return "failed"
    if not pair.record["trusted"]:
        return "not trusted"
    return {"homography": "homography", "fundamental": "epipolar geometry"}.get(
        pair.record["geometry"], pair.record["geometry"]
    )


def _count_cells(count: dict[str, Any]) -> list[str]:
    inliers = "–" if count["inliers"] is None else str(count["inliers"])
    return [*map(str, count["found"]), str(count["matched"]), inliers]


def _view_sentence(record: dict[str, Any]) -> str:
    """Say how image 2 was seen against image 1."""
    if record["view"] is None and record["view0"] is None:
        return "Both images were seen as they are."
    zoom, tilt = record["zoom"], record["tilt"]
    changes = [
        (f"turned by {record['turn']:.0f}°", abs(record["turn"]) >= 0.5),
        (f"enlarged {zoom:.2f} times", zoom > 1 + _SLIGHT),
        (f"reduced {1 / zoom:.2f} times", zoom < 1 / (1 + _SLIGHT)),
        (f"stretched {tilt:.2f} times along one direction", tilt > 1 + _SLIGHT),
    ]
    said = ", ".join(words for words, happened in changes if happened)
    return f"Against image 1, image 2 was seen {said or 'as it is'}."
