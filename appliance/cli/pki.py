"""`lingting pki`: a private authority, the box's certificate, clients' certificates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from appliance.access.pki import (
    CLIENT_DAYS,
    SERVER_DAYS,
    Authority,
    days_left,
    fingerprint,
)
from appliance.cli.access import DEFAULT_PKI

app = typer.Typer(help="Certificates of the box and of who calls it.", no_args_is_help=True)
Folder = Annotated[Path, typer.Option(help="The authority's folder.")]


@app.command()
def init(
    folder: Folder = DEFAULT_PKI,
    name: Annotated[str, typer.Option(help="What the authority is called.")] = "Lingting box",
) -> None:
    """Make the authority. Whoever holds its key can make certificates: keep it off the box."""
    authority = Authority(folder)
    authority.create(name)
    typer.echo(f"{authority.certificate_path}: give it to whoever calls the box")


@app.command()
def server(
    names: Annotated[list[str], typer.Argument(help="DNS names and addresses of the box.")],
    folder: Folder = DEFAULT_PKI,
    output: Annotated[
        Path | None, typer.Option(help="OUTPUT.pem and .key; else FOLDER/server.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Until it expires.")] = SERVER_DAYS,
) -> None:
    """Make the box's own certificate."""
    path = Authority(folder).issue_server(names, output or folder / "server", days)
    typer.echo(f"{path}: set grpc.tls_certificate and http.tls_certificate to it")


@app.command()
def client(
    name: Annotated[str, typer.Argument(help="Who it is for, e.g. hotline-a.")],
    folder: Folder = DEFAULT_PKI,
    output: Annotated[
        Path | None, typer.Option(help="OUTPUT.pem and .key; else FOLDER/NAME.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Until it expires.")] = CLIENT_DAYS,
) -> None:
    """Make a client certificate. It opens nothing until `lingting access create --client`."""
    path = Authority(folder).issue_client(name, output or folder / name, days)
    typer.echo(f"{path}: {fingerprint(path)}")


@app.command()
def show(path: Annotated[Path, typer.Argument(help="A certificate, PEM.")]) -> None:
    """A certificate's fingerprint, and the days it is still good for."""
    typer.echo(f"{fingerprint(path)}, {days_left(path):.0f} days left")
