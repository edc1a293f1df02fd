"""``gluestick serve``: match uploaded pairs of images over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors


@one_line_errors
def serve(
    overrides: options.Overrides = None,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen at.", min=1, max=65535)] = 8000,
    max_batch: Annotated[int, typer.Option(help="Pairs matched at once.")] = 4,
    max_wait: Annotated[
        float, typer.Option(help="How long a pair waits for others, seconds.")
    ] = 0.02,
    max_pending: Annotated[
        int, typer.Option(help="Requests at once; further ones are sent away.")
    ] = 64,
    max_megabytes: Annotated[
        float, typer.Option(help="The largest size of both images together.")
    ] = 40,
    model: options.Model = None,
    weights: options.Weights = None,
    detector_weights: options.DetectorWeights = None,
    max_num_keypoints: options.MaxNumKeypoints = None,
    max_num_lines: options.MaxNumLines = None,
    resize: options.Resize = None,
    rotation: options.Rotation = None,
    config: options.Config = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Match uploaded pairs of images: POST /match with the files image0 and image1.

    Only this machine is answered unless --host says otherwise. Needs the extra serve.

    Example: gluestick serve --port 8000
    """
    from gluestick.cli.devices import select_device
    from gluestick.cli.resources import use_threads

    try:
        import multipart  # noqa: F401
        import uvicorn

        from gluestick.serving.app import MatchServer, ServerLimits
    except ImportError as error:
        raise ImportError(
            f"serve needs {error.name}: pip install 'gluestick-matching[serve]'"
        ) from error
    limits = ServerLimits(
        max_batch=max_batch,
        max_wait=max_wait,
        max_pending=max_pending,
        max_bytes=int(max_megabytes * 1e6),
    )
    features = options.feature_overrides(
        max_num_keypoints=max_num_keypoints, max_num_lines=max_num_lines, resize=resize
    )
    settings = options.match_config(
        config,
        overrides,
        features=features,
        model=model,
        weights=weights,
        detector_weights=detector_weights,
        rotation=rotation,
    )
    use_threads(threads)
    matcher = options.load_matcher(settings).to(select_device(device))
    server = MatchServer(matcher, name=settings.model, limits=limits)
    typer.echo(f"Listening at http://{host}:{port}", err=True)
    uvicorn.run(server.app(), host=host, port=port, log_level="warning")
    server.close()
