"""Histograms and tables of a report, as HTML."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

Record = Mapping[str, Any]

MAX_ROWS = 1000
"""How many rows a table has at most."""

_MAX_MATRIX = 40
_BARS = 30
_WIDTH, _HEIGHT = 420, 150


def track_length_chart(title: str, counts: Mapping[str, int]) -> str:
    """Return a chart of how many points or lines are seen by how many photographs.

    Args:
        title: What is counted.
        counts: How many, by the number of photographs.
    """
    lengths = sorted(map(int, counts))
    if not lengths:
        return _chart(title, [], [])
    numbers = list(range(lengths[0], lengths[-1] + 1))
    heights = [counts.get(str(number), 0) for number in numbers]
    if len(numbers) > _BARS:
        heights = [*heights[: _BARS - 1], sum(heights[_BARS - 1 :])]
        return _chart(
            title, heights, [*map(str, numbers[: _BARS - 1]), f"{numbers[_BARS - 1]} and more"]
        )
    return _chart(title, heights, [str(number) for number in numbers])


def error_chart(title: str, errors: np.ndarray) -> str:
    """Return a histogram of errors [N], px; the largest hundredth is in the last bar."""
    known = errors[np.isfinite(errors)]
    if not len(known):
        return _chart(title, [], [])
    last = max(float(np.percentile(known, 99)), 1e-6)
    edges = np.linspace(0, last, _BARS + 1)
    heights = np.histogram(np.minimum(known, last), edges)[0].tolist()
    labels = [f"{edges[bar]:.2g} to {edges[bar + 1]:.2g} px" for bar in range(_BARS - 1)]
    return _chart(title, heights, [*labels, f"{edges[_BARS - 1]:.2g} px and more"])


def _chart(title: str, heights: Sequence[int], labels: Sequence[str]) -> str:
    if not heights:
        return f"<figure><figcaption>{escape(title)}</figcaption><p>None.</p></figure>"
    step, tallest = _WIDTH / len(heights), max(max(heights), 1)
    bars = []
    for bar, (height, label) in enumerate(zip(heights, labels, strict=True)):
        tall = _HEIGHT * height / tallest
        bars.append(
            f'<rect x="{bar * step + 1:.1f}" y="{_HEIGHT - tall:.1f}" '
            f'width="{max(step - 2, 1):.1f}" height="{tall:.1f}">'
            f"<title>{escape(label)}: {height}</title></rect>"
        )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 -16 {_WIDTH} {_HEIGHT + 34}" role="img" '
        f'aria-label="{escape(title)}">{"".join(bars)}'
        f'<text x="0" y="-4">{tallest}</text>'
        f'<text x="0" y="{_HEIGHT + 15}">{escape(labels[0])}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT + 15}" text-anchor="end">{escape(labels[-1])}</text>'
        "</svg></figure>"
    )


def photograph_table(photographs: Sequence[Record]) -> str:
    """Return a table of photographs, those first that were not registered."""
    ordered = sorted(photographs, key=lambda each: bool(each["registered"]))
    rows = [
        [
            each["name"],
            "yes" if each["registered"] else "no",
            each["reason"] or "",
            each["num_observations"],
            each["num_verified_pairs"],
        ]
        for each in ordered
    ]
    header = ("Photograph", "Registered", "Why not", "Points seen", "Verified pairs")
    return _table(header, rows, "photographs")


def pair_table(pairs: Sequence[Record]) -> str:
    """Return a table of pairs, those with the most verified matches first."""
    ordered = sorted(pairs, key=lambda each: (-each["num_inliers"], -each["num_matches"]))
    rows = [
        [*each["names"], each["num_matches"], each["num_inliers"], verdict(each)]
        for each in ordered
    ]
    header = ("Photograph", "Photograph", "Matches", "Verified", "Verdict")
    return _table(header, rows, "pairs")


def verdict(pair: Record) -> str:
    """Return in plain words what was found of a pair."""
    if not pair["num_inliers"]:
        return "not verified"
    return f"verified: {str(pair['geometry']).replace('_', ' ')}"


def pair_matrix(photographs: Sequence[Record], pairs: Sequence[Record]) -> str:
    """Return a matrix of the verified matches of pairs, empty for too many photographs."""
    names = [each["name"] for each in photographs]
    if not pairs or len(names) > _MAX_MATRIX:
        return ""
    by_names = {frozenset(pair["names"]): pair for pair in pairs}
    most = max(max(pair["num_inliers"] for pair in pairs), 1)
    head = "".join(
        f'<th title="{escape(name)}">{number}</th>' for number, name in enumerate(names, 1)
    )
    rows = []
    for number, name in enumerate(names, 1):
        cells = "".join(_cell(by_names.get(frozenset((name, other))), most) for other in names)
        rows.append(f"<tr><th>{number} {escape(name)}</th>{cells}</tr>")
    return (
        f'<div class="table"><table class="matrix"><tr><th></th>{head}</tr>{"".join(rows)}'
        "</table></div>"
    )


def _cell(pair: Record | None, most: int) -> str:
    if pair is None:
        return "<td></td>"
    shade = 0.75 * pair["num_inliers"] / most
    title = f"{' and '.join(pair['names'])}: {pair['num_matches']} matches, {verdict(pair)}"
    return (
        f'<td title="{escape(title)}" style="background: rgba(255, 190, 60, {shade:.2f})">'
        f"{pair['num_inliers']}</td>"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]], what: str) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in row)}</tr>"
        for row in rows[:MAX_ROWS]
    )
    more = f"<p>The first {MAX_ROWS} of {len(rows)} {what}.</p>" if len(rows) > MAX_ROWS else ""
    return f'<div class="table"><table><tr>{head}</tr>{body}</table></div>{more}'
