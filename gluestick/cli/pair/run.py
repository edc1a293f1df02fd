"""From the options of ``gluestick match`` to a matched pair."""

from dataclasses import dataclass
from pathlib import Path

from gluestick.cli import options
from gluestick.cli.devices import select_device
from gluestick.cli.outputs import check_output
from gluestick.cli.pair.cameras import find_cameras
from gluestick.cli.pair.inputs import load_inputs
from gluestick.cli.resources import use_threads
from gluestick.config import MatchConfig
from gluestick.pair_run.files import FILES
from gluestick.pair_run.run import PairFiles, PairReport, match_into_files
from gluestick.timing import StageTimer


@dataclass(frozen=True, kw_only=True)
class PairJob:
    """What is to be matched, how, and what is to be written.

    Attributes:
        files: The two images, and what is written about them.
        masks: For each image the file of a mask, or None.
        lines: For each image the file of segments of the user's own, or None.
        calibrations: For each image what its ``--K`` says, or None.
        settings: All settings.
        device: What ``--device`` says.
        memory: What ``--memory`` says, or None.
        threads: What ``--threads`` says, or None.
    """

    files: PairFiles
    masks: tuple[Path | None, Path | None]
    lines: tuple[Path | None, Path | None]
    calibrations: tuple[str | None, str | None]
    settings: MatchConfig
    device: str
    memory: str | None
    threads: int | None


def run_pair(job: PairJob) -> PairReport:
    """Match a pair and write its files; options and folders are checked before any work.

    Raises:
        ValueError: If an option, a file or a folder does not fit.
    """
    check_output(job.files.output, FILES)
    device, threads = select_device(job.device), use_threads(job.threads)
    images = job.files.images
    cameras = find_cameras(job.calibrations, images) or (None, None)
    settings = options.within_memory(job.settings, images, memory=job.memory, device=device)
    timer = StageTimer()
    with timer.stage("loading"):
        inputs = load_inputs(images, job.masks, job.lines)
        matcher = options.load_matcher(settings).to(device)
    return match_into_files(
        matcher,
        inputs.images,
        job.files,
        settings=settings,
        cameras=cameras,
        given=inputs.options(),
        timer=timer,
        threads=threads,
    )
