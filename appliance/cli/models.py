"""`lingting models`: bundles of weights, from a stick to the calls and back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from appliance.cli.admin_client import AdminClient, Authority, Certificate, KeyFile, Server
from appliance.errors import BundleError, LingtingError
from appliance.models import archive, signing
from appliance.models.slots import SLOTS
from appliance.settings import load_settings
from appliance.settings.section import PROJECT
from inference.bundles import SIGNATURE, BundleInvalid, Manifest, verify

app = typer.Typer(
    help="Bundles of weights: build, sign, import, try, activate, and back.", no_args_is_help=True
)
console = Console(highlight=False)
ROUTE = "/api/v1/admin/bundles"
CANARY = PROJECT / "bundles" / "whisper-base" / "canary.wav"
Ref = Annotated[str, typer.Argument(help="name@version; a name alone means its newest.")]
Slot = Annotated[str, typer.Option(help=f"Where: {', '.join(SLOTS)}.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, as the box tells it.")]


@app.command("list")
def list_bundles(
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
    as_json: AsJson = False,
) -> None:
    """What this box holds, and what of it serves."""
    told = AdminClient(server, key_file, certificate, authority, patient=True).ask("GET", ROUTE)
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
        return
    table = Table("bundle", "kind", "MB", "licence", "from", "serves", box=SIMPLE_HEAD)
    for each in told["bundles"]:
        source = "release" if each["shipped"] else "import"
        size = f"{each['size'] / 1e6:.0f}"
        serves = ", ".join(each["serves"])
        table.add_row(each["ref"], each["kind"], size, each["licence"], source, serves)
    console.print(table)
    for slot, state in told["slots"].items():
        before = f", before it {state['before'] or 'the settings'}" if state["active"] else ""
        console.print(f"{slot:12} {state['active'] or 'as the settings say'}{before}")


@app.command()
def show(
    ref: Ref,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """One bundle: what it is, whence, for whom, and who vouches for it."""
    box = AdminClient(server, key_file, certificate, authority, patient=True)
    verdict = box.ask("GET", f"{ROUTE}/{ref}/verify")
    bundles = box.ask("GET", ROUTE)["bundles"]
    for name, value in next(b for b in bundles if b["ref"] == verdict["ref"]).items():
        console.print(f"{name:12} {', '.join(value) if isinstance(value, list) else value}")
    console.print(f"{'signed by':12} {verdict['signed_by']}")


@app.command("verify")
def verify_bundle(
    bundle: Annotated[str, typer.Argument(help="name@version on the box, or a folder here.")],
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Every file against its hash, and who vouches for it."""
    folder = Path(bundle)
    if folder.is_dir():
        manifest = _checked(folder)
        told = {"ref": f"{manifest.name}@{manifest.version}", "signed_by": _signer(folder)}
    else:
        box = AdminClient(server, key_file, certificate, authority, patient=True)
        told = box.ask("GET", f"{ROUTE}/{bundle}/verify")
    console.print(f"{told['ref']}: whole, signed by {told['signed_by']}")


@app.command("import")
def import_bundle(
    folder: Annotated[Path, typer.Argument(help="A bundle's folder, or the .tar of an export.")],
    allow_downgrade: Annotated[
        bool, typer.Option("--allow-downgrade", help="Though the box holds a newer version.")
    ] = False,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Bring a bundle onto the box, whole and signed by a trusted key; it does not serve yet."""
    box = AdminClient(server, key_file, certificate, authority, patient=True)
    if folder.is_dir():
        manifest = _checked(folder)
        _signer(folder)
        names = archive.names_in(folder)
        pieces, size = archive.pack(folder, names), archive.packed_size(folder, names)
        shown = f"{manifest.name}@{manifest.version}"
    else:
        pieces, size, shown = _pieces_of(folder), _size_of(folder), folder.name
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(shown, total=size)

        def sent() -> Iterator[bytes]:
            for piece in pieces:
                yield piece
                progress.advance(task, len(piece))

        told = box.upload(ROUTE, sent(), size, allow_downgrade=allow_downgrade)
    ref = told["ref"]
    console.print(f"imported: {ref}; let it serve by: lingting models activate {ref}")


@app.command()
def activate(
    ref: Ref,
    slot: Slot = "",
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Let a bundle serve, from the box's next start on (`systemctl restart lingting.target`)."""
    wanted = {"ref": ref, **({"slot": slot} if slot else {})}
    box = AdminClient(server, key_file, certificate, authority, patient=True)
    _tell(box.ask("POST", f"{ROUTE}/activate", wanted))


@app.command()
def rollback(
    slot: Annotated[str, typer.Argument(help=f"Where: {', '.join(SLOTS)}.")] = "asr",
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Let what served before serve again, from the box's next start on."""
    box = AdminClient(server, key_file, certificate, authority, patient=True)
    _tell(box.ask("POST", f"{ROUTE}/rollback", {"slot": slot}))


@app.command()
def remove(
    ref: Ref,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Delete a bundle that serves nowhere and is no way back."""
    AdminClient(server, key_file, certificate, authority, patient=True).delete(f"{ROUTE}/{ref}")
    console.print(f"removed: {ref}")


@app.command()
def export(
    ref: Ref,
    target: Annotated[Path, typer.Argument(help="The .tar to write.")],
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Write a bundle with its signatures into one file, for another box."""
    box = AdminClient(server, key_file, certificate, authority, patient=True)
    box.download(f"{ROUTE}/{ref}", target)
    console.print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


@app.command()
def build(
    source: Annotated[
        Path,
        typer.Argument(
            help="A local model folder: Whisper of Hugging Face (safetensors), CTranslate2's, "
            "or ONNX with a recipe."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The bundle's folder, which must be new.")],
    name: Annotated[str, typer.Option(help="Its name.")],
    version: Annotated[str, typer.Option(help="Its version.")],
    licence: Annotated[str, typer.Option(help="SPDX name of the weights' licence.")],
    origin: Annotated[str, typer.Option(help="Where the weights come from.")] = "",
    language: Annotated[
        list[str] | None, typer.Option(help="ISO 639-1, repeatable; else all that it knows.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="CTranslate2's: int8_float32 for a CPU, float16 for a GPU ...")
    ] = "float16",
    canary: Annotated[
        Path | None,
        typer.Option(
            help="A clip (WAV, 16 kHz, mono) that a Whisper must hear as now whenever it starts; "
            "else whisper-base's."
        ),
    ] = None,
    requires: Annotated[
        str, typer.Option(help="The oldest release that serves it, as 0.1.0.")
    ] = "",
    expires: Annotated[
        str, typer.Option(help="The last day on which it may be taken, as 2027-12-31.")
    ] = "",
) -> None:
    """Make a bundle of weights that lie here; needs no network. Sign it afterwards."""
    clip = canary or (CANARY if CANARY.is_file() else None)
    told = {"name": name, "version": version, "licence": licence, "origin": origin}
    told |= {"requires": requires, "expires": expires, "canary": str(clip or "")}
    flags = [part for key, value in told.items() if value for part in (f"--{key}", value)]
    flags += [part for code in language or () for part in ("--language", code)]
    command = [sys.executable, "-m", "inference.build", str(source), "--out", str(out)]
    done = subprocess.run([*command, *flags, "--precision", precision])
    if done.returncode:
        raise typer.Exit(1)
    console.print(f"built: {out}; sign it by: lingting models sign {out} --key KEY")


@app.command()
def key(
    path: Annotated[Path, typer.Argument(help="The private key to write; .pub beside it.")],
) -> None:
    """Make a key to sign bundles with. Keep it off the box."""
    made = signing.create_key(path)
    console.print(f"{made}: {path} signs, {path.with_suffix(signing.PUBLIC)} is to be trusted")


@app.command()
def sign(
    folder: Annotated[Path, typer.Argument(help="A bundle's folder.")],
    key_path: Annotated[Path, typer.Option("--key", help="Your private key.")],
) -> None:
    """Vouch for a bundle: for its manifest, which names every file's hash."""
    manifest = _checked(folder)
    console.print(f"{manifest.name}@{manifest.version} signed by {signing.sign(folder, key_path)}")


@app.command()
def trust(
    public: Annotated[Path, typer.Argument(help="A public key, .pub.")],
    name: Annotated[str, typer.Option(help="Whose it is; empty: as the file is called.")] = "",
) -> None:
    """Take bundles that this key has signed, on this machine; on an installed box, as root."""
    keys = signing.TrustedKeys(load_settings().models.trusted)
    added = keys.add(public, name or public.stem)
    console.print(f"trusted: {added.name} ({added.id})")


def _checked(folder: Path) -> Manifest:
    try:
        return verify(folder)
    except BundleInvalid as error:
        raise BundleError("check a bundle", str(error), "copy it again, or seal it anew") from error


def _signer(folder: Path) -> str:
    """Of the keys trusted here; else whoever signed, by number."""
    keys = signing.TrustedKeys(load_settings().models.trusted)
    try:
        return keys.who_signed(folder).name
    except LingtingError:
        if not (folder / SIGNATURE).is_file():
            raise
        return "a key that is not trusted on this machine"


def _pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(archive.CHUNK):
            yield piece


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        cause = f"{path}: {error.strerror or error}"
        raise BundleError("import a bundle", cause, "name a bundle's folder or .tar") from error


def _tell(told: dict[str, Any]) -> None:
    for slot, state in told["slots"].items():
        if state["active"] or state["before"]:
            console.print(f"{slot:12} {state['active'] or 'as the settings say'}")
    console.print("it serves from the next start on: systemctl restart lingting.target")
