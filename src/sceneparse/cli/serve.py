"""`serve`."""

from typing import Annotated

import typer

from sceneparse.cli.arguments import RUNTIME_HELP
from sceneparse.cli.progress import shown_events


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Run folders, weights files, ONNX files, `bundled` or hf://owner/name, each with "
            "overrides of its own after it: inference.field=value.",
            show_default="bundled",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 for all networks.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for a free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            help="What requests must bring as a bearer token; $SCENEPARSE_TOKEN keeps it out of "
            "the list of processes.",
            show_default=False,
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            help="Origin of a website whose pages may call the API; may be repeated.",
            show_default=False,
        ),
    ] = None,
    max_body_mb: Annotated[
        float, typer.Option(help="Largest body of a request, in MB (10⁶ bytes).")
    ] = 20,
    max_megapixels: Annotated[
        float, typer.Option(help="Largest image, in megapixels (10⁶ pixels).")
    ] = 25,
    queue_size: Annotated[
        int, typer.Option(help="Images that may wait or be segmented at a time.")
    ] = 64,
    batch_size: Annotated[int, typer.Option(help="Images that are segmented together.")] = 4,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Write a line for each request.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    runtime: Annotated[str, typer.Option(help=RUNTIME_HELP)] = "auto",
) -> None:
    """Serve models over HTTP, with a page to try them.

    POST an image to /v1/segment; /openapi.json describes everything. Ctrl-C stops the server after
    it has answered what it accepted.
    """
    from sceneparse.serving.server_settings import ServerSettings
    from sceneparse.tasks.serve import serve as serve_models

    with shown_events() as callback:
        serve_models(
            *(models or ()),
            host=host,
            port=port,
            token=token,
            cors=cors or (),
            bounds=ServerSettings(
                max_body_mb=max_body_mb,
                max_bodies_mb=max(max_body_mb, ServerSettings.max_bodies_mb),
                max_megapixels=max_megapixels,
                max_megapixels_together=max(max_megapixels, ServerSettings.max_megapixels_together),
                queue_size=queue_size,
                batch_size=batch_size,
            ),
            device=device,
            runtime=runtime,
            access_log=access_log,
            callback=callback,
        )
