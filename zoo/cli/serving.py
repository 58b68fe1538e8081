"""The command that serves models over HTTP."""

import importlib.util
import signal

import click

from zoo.cli.completion import complete_sources
from zoo.cli.options import json_option
from zoo.cli.output import print_result

MEBIBYTE = 2**20


@click.command("serve")
@click.argument(
    "references",
    nargs=-1,
    required=True,
    metavar="[NAME=]RUN|MODEL|ARTIFACT...",
    shell_complete=complete_sources,
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Interface to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
    help="Port; 0 for any that is free.",
)  # fmt: skip
@click.option(
    "--max-body", type=click.IntRange(1), default=16, show_default=True,
    help="Largest body of a request, and largest decoded image, in MiB.",
)  # fmt: skip
@click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True,
    help="Seconds in which a request must arrive, and in which it is answered.",
)  # fmt: skip
@json_option
def serve_command(
    references: tuple[str, ...], host: str, port: int, max_body: int, timeout: float, as_json: bool
) -> None:
    """Serve runs, trained models of the package, or artifacts over HTTP until interrupted.

    They answer by the Open Inference Protocol (/v2) and TensorFlow Serving's (/v1). A browser shows
    the playground of the runs at /.
    """
    if importlib.util.find_spec("uvicorn") is None:
        raise click.UsageError("zoo serve: pip install 'keras-model-zoo[serve]'.")
    from zoo.playground.app import Playground
    from zoo.serving import server
    from zoo.serving.app import build_app
    from zoo.serving.limits import Limits
    from zoo.serving.models import serve_models
    from zoo.serving.sources import find_runs, open_sources

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as after Ctrl-C
    try:
        with server.listen(host, port) as listener:
            click.echo("opening models; a run is exported to ONNX the first time", err=True)
            models = serve_models(open_sources(references))
            url = server.url_of(listener)
            document = {"url": url, "models": list(models)}
            paths = [f"{url}/  playground", *(f"{url}/v2/models/{name}" for name in models)]
            print_result(document, as_json, lambda: click.echo("\n".join(paths)))
            limits = Limits(max_body * MEBIBYTE, timeout)
            with Playground(find_runs(references), limits) as playground:
                app = build_app(models, limits, playground.routes)
                server.build_server(app, timeout).run(sockets=[listener])
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
