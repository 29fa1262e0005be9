"""`lingting kb`: the knowledge base of a running box, filled, searched, measured and kept good."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from appliance.assist.text.cells import plain
from appliance.cli.admin_client import AdminClient, Authority, Certificate, KeyFile, Server
from appliance.cli.kb_files import NAMES, ReadEntry, read_entries
from appliance.errors import Forbidden, InvalidRequest

PATH = "/api/v1/knowledge"
TOGETHER = 200  # entries in one request
TOLD = 20  # contradictions that are printed
app = typer.Typer(help="Knowledge base: what agents may answer.", no_args_is_help=True)
console = Console(highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@dataclass(frozen=True, slots=True)
class AskedBox:
    """Who asks which box."""

    server: str
    key_file: Path | None
    certificate: Path | None
    authority: Path | None

    def client(self) -> AdminClient:
        return AdminClient(
            self.server, self.key_file, self.certificate, self.authority, patient=True
        )


@app.callback()
def _asking(
    context: typer.Context,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    context.obj = AskedBox(server, key_file, certificate, authority)


@app.command("import")
def import_files(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(help="CSV, JSON, JSONL, Markdown, text, DOCX or PDF files.")
    ],
    approve: Annotated[
        bool, typer.Option(help="Live at once, on your word; for an approver. Else drafts.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read files and keep their entries; those with an id that is there are new versions of it."""
    entries = [each for file in files for each in read_entries(file)]
    client, told = context.obj.client(), {"entries": 0, "undated": 0, "left_out": 0}
    contradictions: list[dict[str, str]] = []
    with _bar() as bar:
        task = bar.add_task("entries", total=len(entries))
        for at in range(0, len(entries), TOGETHER):
            some = entries[at : at + TOGETHER]
            answer = _send(client, some, approve)
            contradictions += answer["contradictions"]
            told["entries"] += len(answer["ids"])
            told["undated"] += answer["undated"]
            told["left_out"] += len(some) - len(answer["ids"])
            bar.advance(task, len(some))
    if as_json:
        print(json.dumps({**told, "contradictions": len(contradictions)}))
    else:
        _tell(told, contradictions, approve)
    if told["left_out"]:
        raise typer.Exit(1)


def _tell(told: dict[str, int], contradictions: Sequence[dict[str, str]], approve: bool) -> None:
    state = "live" if approve else "drafts, to be approved"
    console.print(f"{told['entries']} entries kept: {state}")
    if told["undated"]:
        console.print(f"{told['undated']} have no last day: they answer until they are changed")
    if told["left_out"]:
        console.print(f"{told['left_out']} left out, see above")
    for each in contradictions[:TOLD]:
        console.print(Text(f"{each['entry']} contradicts {each['other']}: {each['why']}"))
    if len(contradictions) > TOLD:
        console.print(f"and {len(contradictions) - TOLD} more contradictions")


def _send(client: AdminClient, some: Sequence[ReadEntry], approve: bool) -> Any:
    """Where one of them is refused, it is named by its file and line."""
    body = [each.fields for each in some]
    try:
        return client.ask("POST", f"{PATH}/batch", {"entries": body}, approve=approve)
    except InvalidRequest:
        if len(some) == 1:
            raise
    kept: dict[str, Any] = {"ids": [], "contradictions": [], "undated": 0}
    for each in some:
        try:
            one = client.ask("POST", f"{PATH}/batch", {"entries": [each.fields]}, approve=approve)
        except InvalidRequest as error:
            typer.echo(f"{each.where}: left out: {error.cause}", err=True)
            continue
        for name, value in one.items():
            kept[name] += value
    return kept


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


@app.command()
def search(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="As a citizen would ask.")],
    place: Annotated[str, typer.Option(help="12-digit code of where they are.")] = "",
    most: Annotated[int, typer.Option(min=1, max=50, help="Entries.")] = 3,
    as_json: AsJson = False,
) -> None:
    """What answers a question now, there."""
    client = context.obj.client()
    told = client.ask("GET", f"{PATH}/search", q=question, place=place, most=most)
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
        return
    for each in told["found"]:
        entry, begin, end = each["entry"], each["begin"], each["end"]
        title = next(iter(entry["questions"]), "")
        console.print(Text.assemble((f"{each['confidence']:.0%}", "bold"), " ", title))
        console.print(_marked(entry["answer"], begin, end, each["marks"]))
        until = f"until {entry['valid_to']}" if entry["valid_to"] else "no last day"
        about = " · ".join(filter(None, (entry["source"], entry["department"], until, entry["id"])))
        console.print(Text(f"{about}\n", style="dim"))
    if not told["found"]:
        console.print("nothing answers it")


def _marked(answer: str, begin: int, end: int, marks: Sequence[Sequence[int]]) -> Text:
    text = Text(answer[begin:end])
    for at, until in marks:
        text.stylize("bold yellow", at - begin, until - begin)
    return text


@app.command("eval")
def measure(
    context: typer.Context,
    questions: Annotated[
        Path, typer.Argument(help="CSV with columns question and entry (its id).")
    ],
    as_json: AsJson = False,
) -> None:
    """How often the right entry is first, and among the first three, for questions of your own."""
    with questions.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"question", "entry"} <= rows[0].keys():
        raise InvalidRequest(
            "measure a knowledge base", f"{questions} has no columns question, entry"
        )
    client, ranks = context.obj.client(), list[int]()
    with _bar() as bar:
        for row in bar.track(rows, description="questions"):
            found = client.ask("GET", f"{PATH}/search", q=row["question"], most=10)["found"]
            ids = [each["entry"]["id"] for each in found]
            ranks.append(ids.index(row["entry"]) + 1 if row["entry"] in ids else 0)
    n = len(ranks)
    told = {
        "n": n,
        "r1": round(sum(rank == 1 for rank in ranks) / n, 4),
        "r3": round(sum(0 < rank <= 3 for rank in ranks) / n, 4),
        "mrr": round(sum(1 / rank for rank in ranks if rank) / n, 4),
    }
    print(json.dumps(told)) if as_json else console.print(_table(told))


def _table(told: dict[str, Any]) -> Table:
    table = Table(*told)
    table.add_row(*(str(value) for value in told.values()))
    return table


@app.command()
def gaps(context: typer.Context, as_json: AsJson = False) -> None:
    """What citizens asked and no entry answers, by matter."""
    found = context.obj.client().ask("GET", f"{PATH}/gaps")["gaps"]
    if as_json:
        print(json.dumps({"gaps": found}, ensure_ascii=False))
        return
    table = Table("asked", "matter", "what agents said", "id")
    for each in found:
        row = (str(each["questions"]), each["title"], each["answer"], each["id"])
        table.add_row(*map(Text, row))
    console.print(table if found else "no gaps")


@app.command()
def dedupe(context: typer.Context, as_json: AsJson = False) -> None:
    """Entries that ask the same, and those that contradict each other."""
    client = context.obj.client()
    found = client.ask("GET", f"{PATH}/duplicates")["duplicates"]
    against = client.ask("GET", f"{PATH}/contradictions")["contradictions"]
    if as_json:
        print(json.dumps({"duplicates": found, "contradictions": against}, ensure_ascii=False))
        return
    for each in found:
        titles = dict.fromkeys(each["titles"])
        console.print(Text(f"{each['keep']} answers for {len(each['ids'])}: {' / '.join(titles)}"))
    for each in against:
        console.print(Text(f"{each['entry']} contradicts {each['other']}: {each['why']}"))
    console.print(f"{len(found)} groups that ask the same, {len(against)} contradictions")


@app.command()
def approve(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(help="Of drafts.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every draft you did not write.")] = False,
) -> None:
    """Let drafts answer from now on; for an approver, who has not written them."""
    client = context.obj.client()
    if bool(ids) is every:
        raise InvalidRequest("approve entries", "none is named", "give ids, or --all")
    wanted = ids or [each["id"] for each in _pages(client, "draft")]
    approved = 0
    with _bar() as bar:
        for entry in bar.track(wanted, description="drafts"):
            try:
                client.ask("POST", f"{PATH}/{entry}/approve")
                approved += 1
            except (InvalidRequest, Forbidden) as error:
                typer.echo(f"{entry}: not approved: {error.cause}", err=True)
    console.print(f"{approved} of {len(wanted)} drafts answer now")
    if approved < len(wanted):
        raise typer.Exit(1)


def _pages(client: AdminClient, state: str) -> list[dict[str, Any]]:
    token, found = "", list[dict[str, Any]]()
    while True:
        query = {"page_size": 100, "page_token": token} | ({"state": state} if state else {})
        page = client.ask("GET", PATH, **query)
        found += page["entries"]
        if not (token := page["next_page_token"]):
            return found


@app.command()
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="File, .csv or .json.")],
    state: Annotated[str, typer.Option(help="draft, live or retired; else all.")] = "live",
) -> None:
    """Write entries into a file that `import` reads."""
    found = _pages(context.obj.client(), state)
    kept = [{name: each[name] for name in NAMES} for each in found]
    if out.suffix.lower() == ".json":
        out.write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
    else:
        _write_csv(out, kept)
    print(f"{len(kept)} entries written to {out}", file=sys.stderr)


def _write_csv(out: Path, entries: Sequence[dict[str, Any]]) -> None:
    """As a spreadsheet opens it."""
    with out.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, NAMES)
        writer.writeheader()
        for each in entries:
            lists = {name: "|".join(each[name]) for name in ("questions", "tags")}
            row = {**each, **lists}
            writer.writerow({name: plain(str(value)) for name, value in row.items()})
