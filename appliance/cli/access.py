"""`lingting access`: credentials of hotline systems, people and admins."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from appliance.access.pki import Authority as Pki
from appliance.access.pki import fingerprint
from appliance.access.roles import AccessRole
from appliance.cli.admin_client import AdminClient, Authority, Certificate, KeyFile, Server
from appliance.files import make_private, write_new

app = typer.Typer(help="Who may use the box: keys and certificates.", no_args_is_help=True)
console = Console(highlight=False)
DEFAULT_PKI = Path("/etc/lingting/pki")
FIRST = (AccessRole.SYSTEM_ADMIN, AccessRole.SECURITY_ADMIN, AccessRole.AUDIT_ADMIN)


@app.command()
def init(
    folder: Annotated[
        Path, typer.Option(help="Where each admin's .token, .pem and .key are written.")
    ] = Path(),
    pki: Annotated[Path, typer.Option(help="The authority's folder.")] = DEFAULT_PKI,
    anew: Annotated[
        bool, typer.Option("--anew", help="Revoke all admins there are: their keys are lost.")
    ] = False,
    server: Server = "",
) -> None:
    """Make the first three admins; as root on the box, once.

    Hand each folder's files to another person, and delete them here.
    """
    make_private(folder)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as draft:
        certificates = {}
        for role in FIRST:
            target = Path(draft) / role.value / role.value
            certificates[role.value] = fingerprint(Pki(pki).issue_client(role.value, target))
        wanted = {"certificates": certificates, "anew": anew}
        made = AdminClient(server).ask("POST", "/api/v1/admin/first", wanted)
        for each in made["credentials"]:
            role = each["roles"][0]
            write_new(Path(draft) / role / f"{role}.token", f"{each['key']}\n".encode())
            shutil.rmtree(folder / role, ignore_errors=True)  # of nobody any more
            (Path(draft) / role).rename(folder / role)
            console.print(f"{role}: {folder / role}")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who it is for, e.g. hotline-a.")],
    role: Annotated[list[AccessRole], typer.Option(help="What it may do; repeat it.")],
    tenant: Annotated[
        str, typer.Option(help="The hotline system whose calls it makes and sees; * sees all.")
    ] = "",
    days: Annotated[float | None, typer.Option(help="Until it expires.")] = None,
    per_minute: Annotated[int, typer.Option(help="Requests; 0: as the box is set.")] = 0,
    unit: Annotated[str, typer.Option(help="A clerk's unit: its code in the city pack.")] = "",
    client: Annotated[
        Path | None,
        typer.Option(help="Client certificate that the key must come with; PEM."),
    ] = None,
    certificate_alone: Annotated[
        bool, typer.Option("--certificate-alone", help="Let --client in without any key.")
    ] = False,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Make a key, told once; or let a client certificate in. For the security admin."""
    wanted = {
        "name": name,
        "roles": [each.value for each in role],
        "tenant": tenant,
        "days": days,
        "per_minute": per_minute,
        "unit": unit,
        "certificate": fingerprint(client) if client else "",
        "kind": "certificate" if certificate_alone else "key",
    }
    made = AdminClient(server, key_file, certificate, authority).ask(
        "POST", "/api/v1/admin/credentials", wanted
    )
    typer.echo(made["key"] or f"{made['id']}: its certificate is let in")
    typer.echo(f"{made['id']}: {name}, tenant {tenant or '-'}; keep the id, to revoke it", err=True)
    if made["pending"]:
        typer.echo(f"{made['id']} waits for: lingting access approve, by another admin", err=True)


@app.command("list")
def list_all(
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Every credential, and whether it still opens anything."""
    client = AdminClient(server, key_file, certificate, authority)
    found = client.ask("GET", "/api/v1/admin/credentials")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("id", "name", "tenant", "roles", "kind", "until", "state"):
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for each in found["credentials"]:
        until = time.strftime("%Y-%m-%d", time.localtime(each["expires_at"] or 0))
        table.add_row(
            *(each["id"], each["name"], each["tenant"], " ".join(each["roles"]), each["kind"]),
            until if each["expires_at"] else "-",
            state_of(each),
        )
    console.print(table)


def state_of(credential: dict[str, Any]) -> str:
    if credential["revoked_at"]:
        return "revoked"
    if credential["pending"]:
        return "waits for approval"
    return "expired" if (credential["expires_at"] or time.time() + 1) < time.time() else "good"


@app.command()
def revoke(
    credential: Annotated[str, typer.Argument(help="Its id, see list.")],
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """From now on it opens nothing; streams that run by it end. For the security admin."""
    client = AdminClient(server, key_file, certificate, authority)
    client.ask("POST", f"/api/v1/admin/credentials/{credential}/revoke")
    typer.echo(f"{credential}: revoked")


@app.command()
def approve(
    credential: Annotated[str, typer.Argument(help="Its id, see list.")],
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Let a new admin in, as an admin of another kind."""
    client = AdminClient(server, key_file, certificate, authority)
    client.ask("POST", f"/api/v1/admin/credentials/{credential}/approve")
    typer.echo(f"{credential}: approved")
