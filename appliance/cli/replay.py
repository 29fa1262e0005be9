"""`lingting replay`: what follows calls is done again for past ones."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

import typer
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from appliance.cli.admin_client import AdminClient, Authority, Certificate, KeyFile, Server
from appliance.errors import Conflict

PATH = "/api/v1/replays"
LOOK_EVERY_S = 0.5


def replay(
    name: Annotated[str, typer.Argument(help="Who follows calls, e.g. webhooks.")],
    since: Annotated[datetime, typer.Option(help="Calls that began then or later.")],
    until: Annotated[
        datetime | None, typer.Option(help="And before then; else to this moment.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="One hotline system's calls.")] = "*",
    wait: Annotated[bool, typer.Option(help="Until all is queued.")] = True,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Do again for past calls what one who follows calls owes them; for an operator.

    Whatever a release has learnt to make of calls can so be made of those before it. Queued once
    for each call and replay; how the work itself goes is in the metric lingting_jobs.
    """
    client = AdminClient(server, key_file, certificate, authority)
    body = {"name": name, "since": since.astimezone().isoformat(), "tenant": tenant}
    body |= {"until": until.astimezone().isoformat()} if until else {}
    asked = client.ask("POST", PATH, body)
    if wait:
        asked = _watch(client, asked["id"])
    typer.echo(f"replay {asked['id']}: {asked['state']}")
    if asked["state"] == "dead":
        raise Conflict("replay calls", asked["error"])


def _watch(client: AdminClient, replay: str) -> dict[str, str]:
    columns = (TextColumn("calls queued again"), BarColumn(), TaskProgressColumn())
    with Bar(*columns, transient=True) as bar:
        task = bar.add_task("replay", total=1.0)
        while True:
            told = client.ask("GET", f"{PATH}/{replay}")
            bar.update(task, completed=told["progress"])
            if told["state"] not in ("queued", "running"):
                return dict(told)
            time.sleep(LOOK_EVERY_S)
