"""`lingting models serve|unserve`: speech bundles that hear some calls, beside the active one."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from appliance.cli.admin_client import AdminClient, Authority, Certificate, KeyFile, Server
from appliance.cli.models import Ref

ROUTE = "/api/v1/admin/beside"
console = Console(highlight=False)


def serve(
    ref: Ref,
    tenant: Annotated[
        list[str] | None, typer.Option(help="Hotline system whose calls it hears; repeatable.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="ISO 639-1, of calls that name it; repeatable.")
    ] = None,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Load a speech bundle beside the active one, for some calls.

    It hears calls that name it as their model, and those of the systems and languages given.
    """
    box = AdminClient(server, key_file, certificate, authority, patient=True)
    wanted = {"ref": ref, "tenants": tenant or [], "languages": language or []}
    _show(box.ask("PUT", ROUTE, wanted))


def unserve(
    ref: Ref,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Let go of a bundle that is served beside, once its calls have ended."""
    box = AdminClient(server, key_file, certificate, authority, patient=True)
    box.delete(f"{ROUTE}/{ref}")
    _show(box.ask("GET", ROUTE))


def _show(told: dict[str, Any]) -> None:
    table = Table("beside the active one", "systems", "languages", box=SIMPLE_HEAD)
    for each in told["beside"]:
        table.add_row(each["ref"], ", ".join(each["tenants"]), ", ".join(each["languages"]))
    console.print(table if told["beside"] else "every call is heard by the active bundle")
