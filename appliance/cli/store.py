"""`lingting store`: the databases' schema, for whoever installs or takes back a release."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from appliance.errors import SettingsError
from appliance.settings import load_settings
from appliance.store import migrating
from appliance.store.store import locations

app = typer.Typer(help="Show and change the schema of the box's databases.", no_args_is_help=True)


@app.command()
def revisions(
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """What each database is at, and what this release brings it to."""
    told = {"found": found(), "known": migrating.heads()}
    if as_json:
        typer.echo(json.dumps(told))
        return
    for branch, head in told["known"].items():
        typer.echo(f"{branch}: {told['found'].get(branch, 'not made yet')}, this release: {head}")


def found() -> dict[str, str]:
    """Revision by branch; a database that does not exist has none."""
    at = {
        branch: migrating.current(url) for branch, url in locations(load_settings().store).items()
    }
    return {branch: revision for branch, revision in at.items() if revision}


@app.command()
def rehearse() -> None:
    """Migrate copies of the databases, and throw them away. The box may run meanwhile."""
    with tempfile.TemporaryDirectory(prefix="lingting-rehearsal-") as folder:
        for branch, url in locations(load_settings().store).items():
            path = url.removeprefix("sqlite:///")
            if path == url:
                typer.echo(f"{branch}: a server's database is not rehearsed; back it up first")
                continue
            copy = Path(folder) / f"{branch}.db"
            if Path(path).exists():
                with (
                    closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source,
                    closing(sqlite3.connect(copy)) as target,
                ):
                    source.backup(target)
            migrating.upgrade(f"sqlite:///{copy}", branch)
            typer.echo(f"{branch}: {migrating.current(f'sqlite:///{copy}')}")


@app.command()
def downgrade(
    to: Annotated[list[str], typer.Option(help="BRANCH=REVISION, e.g. main=main_0002; repeat it.")],
) -> None:
    """Take the schema back for an older release; calls stay. The box must be stopped."""
    urls = locations(load_settings().store)
    for named in to:
        branch, _, revision = named.partition("=")
        if branch not in urls:
            hint = f"name one of {', '.join(urls)}"
            raise SettingsError("downgrade the store", f"there is no branch {branch!r}", hint)
        migrating.downgrade(urls[branch], branch, revision)
        typer.echo(f"{branch}: {migrating.current(urls[branch])}")
