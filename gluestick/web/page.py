"""What stands on the page, and what happens when a person does something there."""

from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import gradio as gr

from gluestick.viewpoint.view_modes import VIEWS
from gluestick.web.choices import GEOMETRIES, MODEL_NAMES, RANGES, Choices
from gluestick.web.limits import Limits
from gluestick.web.matching import MatchedPair, MatchingService, Outcome
from gluestick.web.photographs import ENDINGS, sort_out
from gluestick.web.sessions import Sessions
from gluestick.web.words import (
    TABLE_HEADERS,
    frame_html,
    lines_html,
    pair_html,
    pair_label,
    table_rows,
)

VIEWER_ADDRESS = "/viewer"
REPORT_ADDRESS = "/reconstruction"

_DEFAULTS = Choices()
_SLIDERS = {
    "max_num_keypoints": "Keypoints per image",
    "max_num_lines": "Line segments per image",
    "resize": "Long side at which features are found, px",
    "min_length": "Shortest line segment, px",
    "point_threshold": "Least score of a point match",
    "line_threshold": "Least score of a line match",
    "max_error": "Largest error of an inlier, px (0: 3 px as detectors see the images)",
}
_PROGRESS = gr.Progress()
_DOWNLOADS = ("matches.npz", "run.json", "viewer.html", "points.png", "lines.png", "overlay.png")


def theme() -> gr.themes.Base:
    """Return the page's look, with fonts that every system has."""
    return gr.themes.Default(
        primary_hue="emerald",
        font=("system-ui", "sans-serif"),
        font_mono=("ui-monospace", "monospace"),
    )


def styles() -> str:
    """Return the page's style sheet."""
    return resources.files("gluestick.web").joinpath("page.css").read_text(encoding="utf-8")


def build_page(
    service: MatchingService, sessions: Sessions, limits: Limits, *, reconstruction: bool
) -> gr.Blocks:
    """Return the page.

    Args:
        service: What matches.
        sessions: Where results go.
        limits: How much may be asked for.
        reconstruction: Whether there is a reconstruction to show.
    """
    actions = _Actions(service, sessions, limits)
    frequency = min(600, int(limits.keep_seconds))
    with gr.Blocks(
        title="GlueStick",
        analytics_enabled=False,
        delete_cache=(frequency, int(limits.keep_seconds)),
    ) as page:
        gr.Markdown(
            "# GlueStick\nDrop two or more photographs, and see which points and lines they "
            "share, what relates them, and whether that can be trusted.",
            elem_id="title",
        )
        with gr.Tabs():
            with gr.Tab("Photographs"):
                _photographs_tab(actions, limits)
            with gr.Tab("Reconstruction"):
                _reconstruction_tab(reconstruction)
        page.unload(actions.leave)
    page.queue(max_size=limits.max_waiting, default_concurrency_limit=1)
    return page


class _Actions:
    """What happens when a person does something."""

    def __init__(self, service: MatchingService, sessions: Sessions, limits: Limits) -> None:
        self._service = service
        self._sessions = sessions
        self._limits = limits

    def take(self, paths: list[str] | None, request: gr.Request) -> tuple[str, Any]:
        """Say which of the dropped files are taken."""
        files = [Path(path) for path in paths or []]
        self._sessions.uploaded(_key(request), files)
        photographs, refused = sort_out(files, self._limits)
        names = [photograph.name for photograph in photographs]
        if len(names) == 1:
            names.append("and one more, please")
        said = lines_html(names, "taken") + lines_html(refused, "refused")
        return said, gr.update(interactive=len(photographs) > 1)

    def match(
        self,
        paths: list[str] | None,
        model: str,
        max_num_keypoints: float,
        max_num_lines: float,
        resize: float,
        min_length: float,
        point_threshold: float,
        line_threshold: float,
        max_error: float,
        view: str,
        geometry: str,
        request: gr.Request,
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        """Match all pairs, and show the first that can be trusted."""
        files = [Path(path) for path in paths or []]
        key = _key(request)
        self._sessions.uploaded(key, files)
        photographs, _ = sort_out(files, self._limits)
        choices = Choices(
            model=model,
            max_num_keypoints=int(max_num_keypoints),
            max_num_lines=int(max_num_lines),
            resize=int(resize),
            min_length=min_length,
            point_threshold=point_threshold,
            line_threshold=line_threshold,
            max_error=max_error,
            view=view,
            geometry=geometry,
        )

        def report(done: int, total: int) -> None:
            progress((done, total), desc=f"Pair {done + 1} of {total}", unit="pairs")

        try:
            outcome = self._service.match_all(
                photographs, choices, self._sessions.folder(key), on_pair=report
            )
        except ValueError as error:
            raise gr.Error(escape(str(error)), print_exception=False) from error
        return _outcome_updates(outcome)

    def leave(self, request: gr.Request) -> None:
        """Delete what a person left behind."""
        self._sessions.end(_key(request))


def _photographs_tab(actions: _Actions, limits: Limits) -> None:
    found = gr.State(None)
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            files = gr.File(
                label=f"2 to {limits.max_photographs} photographs",
                file_count="multiple",
                file_types=[*ENDINGS],
                height=190,
            )
            taken = gr.HTML()
            button = gr.Button("Match", variant="primary", interactive=False)
            inputs = _settings()
            gr.Markdown(
                f"At most {limits.max_file_bytes / 2**20:.0f} MB and "
                f"{limits.max_pixels / 1e6:.0f} million pixels each. Photographs and results stay "
                "on the computer that runs this page, and are deleted when you close it, or after "
                f"{limits.keep_seconds / 60:.0f} minutes without use."
            )
        with gr.Column(scale=3, min_width=320):
            progress = gr.HTML("", elem_id="progress")
            with gr.Column(visible=False) as results:
                table = gr.Dataframe(
                    headers=[*TABLE_HEADERS], type="array", interactive=False, wrap=True, buttons=[]
                )
                chosen = gr.Dropdown(label="Pair to look at", choices=[], filterable=False)
                of_pair = _pair_parts()
                archive = gr.DownloadButton("Download everything of all pairs (zip)")
    files.change(
        actions.take, files, [taken, button], queue=False, show_progress="hidden", api_name="take"
    )
    button.click(
        actions.match,
        [files, *inputs],
        [progress, found, results, table, chosen, archive, *of_pair],
        show_progress_on=progress,
        api_name="match",
    )
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
    chosen.input(_show_pair, [found, chosen], of_pair, api_name="show", **quick)
    table.select(_show_row, found, [chosen, *of_pair], api_visibility="private", **quick)


def _settings() -> list[gr.components.Component]:
    """Add what can be set, in the order of :class:`Choices`."""
    with gr.Accordion("Settings", open=False):
        model = gr.Dropdown([*MODEL_NAMES], value=_DEFAULTS.model, label="Model")
        sliders = [
            gr.Slider(
                RANGES[name].low,
                RANGES[name].high,
                value=getattr(_DEFAULTS, name),
                step=RANGES[name].step,
                label=label,
            )
            for name, label in _SLIDERS.items()
        ]
        view = gr.Dropdown(
            [*VIEWS], value=_DEFAULTS.view, label="Find how the images lie to each other"
        )
        geometry = gr.Dropdown([*GEOMETRIES], value=_DEFAULTS.geometry, label="Geometry")
    return [model, *sliders, view, geometry]


def _pair_parts() -> list[gr.components.Component]:
    """Add what shows one pair, in the order of :func:`_pair_updates`."""
    verdict = gr.HTML()
    with gr.Tabs():
        with gr.Tab("Look through"):
            viewer = gr.HTML()
        with gr.Tab("Points"):
            points = _picture("Matched points")
        with gr.Tab("Lines"):
            lines = _picture("Matched lines")
        with gr.Tab("Check"):
            overlay = _picture("Both photographs in one, or points with their epipolar lines")
            no_overlay = gr.HTML()
        with gr.Tab("Files"):
            downloads = gr.File(label="Of this pair", file_count="multiple", interactive=False)
    return [verdict, viewer, points, lines, overlay, no_overlay, downloads]


def _picture(label: str) -> gr.Image:
    return gr.Image(
        label=label,
        show_label=False,
        alt_text=label,
        type="filepath",
        interactive=False,
        buttons=["download", "fullscreen"],
    )


def _reconstruction_tab(reconstruction: bool) -> None:
    if reconstruction:
        gr.HTML(frame_html(REPORT_ADDRESS, "The report of the reconstruction"))
    else:
        gr.Markdown(
            "There is no reconstruction to show. `gluestick reconstruct PHOTO_DIR --output DIR` "
            "makes one of a folder of photographs, and `gluestick web --reconstruction DIR` shows "
            "its report here."
        )


def _outcome_updates(outcome: Outcome) -> list[Any]:
    """Return what a finished request shows: the first pair that can be trusted, or the first."""
    trusted = [bool(pair.record and pair.record["trusted"]) for pair in outcome.pairs]
    first = trusted.index(True) if any(trusted) else 0
    labels = [(pair_label(pair), index) for index, pair in enumerate(outcome.pairs)]
    several = len(labels) > 1
    said = []
    if outcome.left_out:
        said.append(f"The time was over: {outcome.left_out} pairs were not matched.")
    return [
        lines_html(said, "refused"),
        outcome,
        gr.update(visible=True),
        gr.update(value=table_rows(outcome), visible=several),
        gr.update(choices=labels, value=first, visible=several),
        str(outcome.archive),
        *_pair_updates(outcome.pairs[first]),
    ]


def _show_pair(outcome: Outcome | None, index: int | None) -> list[Any]:
    if outcome is None or index is None or not 0 <= index < len(outcome.pairs):
        raise gr.Error("These results are no longer here: match again", print_exception=False)
    return _pair_updates(outcome.pairs[index])


def _show_row(outcome: Outcome | None, event: gr.SelectData) -> list[Any]:
    row = int(event.index[0])
    return [row, *_show_pair(outcome, row)]


def _pair_updates(pair: MatchedPair) -> list[Any]:
    token, name = pair.folder.parent.name, pair.folder.name
    viewer = ""
    if pair.file("viewer.html"):
        viewer = frame_html(f"{VIEWER_ADDRESS}/{token}/{name}", f"Matches of {pair_label(pair)}")
    overlay = pair.file("overlay.png")
    missing = "" if overlay else "<p>There is no geometry that could be trusted to draw.</p>"
    files = [str(path) for path in map(pair.file, _DOWNLOADS) if path]
    return [
        pair_html(pair),
        viewer,
        _path(pair.file("points.png")),
        _path(pair.file("lines.png")),
        gr.update(value=_path(overlay), visible=overlay is not None),
        missing,
        files,
    ]


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _key(request: gr.Request) -> str:
    return request.session_hash or ""
