"""`lingting audit`: read, verify and export the log of privileged acts."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from appliance.cli.admin_client import AdminClient, Authority, Certificate, KeyFile, Server
from appliance.errors import NotFound
from appliance.security import audit
from appliance.security.untar import untar
from appliance.settings import load_settings

app = typer.Typer(help="The log of privileged acts, chained and signed.", no_args_is_help=True)
PATH = "/api/v1/admin/audit"


@app.command()
def show(
    after: Annotated[int, typer.Option(help="Records above this number.")] = 0,
    size: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 100,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Print records, oldest first. For the audit admin."""
    client = AdminClient(server, key_file, certificate, authority)
    for line in client.ask("GET", PATH, after=after, size=size)["records"]:
        told = [line[name] for name in ("actor", "peer", "act", "object", "outcome", "detail")]
        typer.echo(f"{line['seq']} {line['at']} {' '.join(filter(None, told))}")


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="The tar to write.")],
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Download the whole log with its signed heads. For the audit admin."""
    AdminClient(server, key_file, certificate, authority).download(f"{PATH}/export", output)
    typer.echo(f"{output}: check it with `lingting audit verify {output}`")


@app.command()
def verify(
    log: Annotated[
        Path | None, typer.Argument(help="A folder or an exported tar; else this box's own.")
    ] = None,
    head: Annotated[
        str, typer.Option(help="A head that was kept elsewhere: 'N HASH', as the journal has it.")
    ] = "",
) -> None:
    """Read the chain from its first record; needs no box.

    Exit codes: 0 whole, 1 tampered with.
    """
    settings = load_settings()
    folder = log or settings.audit.folder or settings.store.folder / "audit"
    known = _head(head) if head else None
    if not folder.exists():
        raise NotFound("verify the audit log", f"{folder} does not exist", "name it")
    with tempfile.TemporaryDirectory(prefix="lingting-audit-") as unpacked:
        if folder.is_file():
            with tarfile.open(folder) as archive:
                untar(archive, lambda _: Path(unpacked))
            folder = Path(unpacked)
        verdict = audit.verify(folder, known)
    if not verdict.ok:
        typer.echo(f"TAMPERED: {verdict.fault} ({verdict.records} records before it are whole)")
        raise typer.Exit(1)
    typer.echo(
        f"whole: {verdict.records} records, {verdict.heads} signed heads, "
        f"{verdict.unsigned} records since; head {verdict.head}"
    )


def _head(told: str) -> dict[str, Any]:
    """ "12 3f0a..." -> a head; raises BadParameter."""
    number, _, digest = told.removeprefix("audit head ").strip().partition(" ")
    if not number.isdecimal() or not digest:
        raise typer.BadParameter("the number and the hash", param_hint="--head")
    return {"seq": int(number), "hash": digest.strip(), "at": "some time, and kept elsewhere"}


@app.command()
def append(
    act: Annotated[str, typer.Argument(help="e.g. release.install.")],
    object: Annotated[str, typer.Argument(help="What it was done to, e.g. a version.")] = "",
    actor: Annotated[str, typer.Option(help="Who did it.")] = "root",
    outcome: Annotated[str, typer.Option(help="done, refused or failed.")] = "done",
) -> None:
    """Log an act done outside the box; the installer does."""
    settings = load_settings()
    folder = settings.audit.folder or settings.store.folder / "audit"
    log = audit.AuditLog(folder, settings.audit.hash)
    record = log.append(audit.AuditEntry(actor, act, object, outcome))
    typer.echo(f"{record.seq} {record.hash}")
