"""`python -m provisioning.medium`: fetch what is needed, build the medium, compare two."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from inference.bundles import BundleInvalid
from provisioning.medium import inputs, medium
from provisioning.medium.inputs import FetchFailed
from provisioning.medium.signature import Signer, SigningFailed

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
PROGRAMS = ("dpkg-deb", "dpkg-scanpackages", "gpg", "git")
console = Console(highlight=False)
app = typer.Typer(
    help="Build the installation medium: everything a box needs, without internet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Fetched = Annotated[Path, typer.Option(help="Where fetched wheels and packages are kept.")]
Profiles = Annotated[
    str, typer.Option(help="Wheels to bring: cpu, or cpu,gpu (another 1.3 GB, for CUDA).")
]


@app.command()
def fetch(inputs_folder: Fetched = BUILD / "inputs", profiles: Profiles = "cpu") -> None:
    """Fetch what a medium needs: the only step that uses the network."""
    for profile in _known(profiles):
        with console.status(f"fetching wheels for {profile}"):
            inputs.fetch_wheels(ROOT / "requirements", inputs_folder / "wheels" / profile, profile)
    with console.status("building wheels that come as source"):
        inputs.build_wheels(ROOT / "requirements", inputs_folder / "wheels" / "cpu")
    with console.status("fetching Debian packages"):
        inputs.fetch_packages(inputs_folder / "apt")
    for folder in sorted(inputs_folder.glob("*/*")):
        if folder.is_dir():
            console.print(f"{folder.relative_to(inputs_folder)}: {len(list(folder.iterdir()))}")


@app.command()
def build(
    output: Annotated[Path, typer.Option(help="The medium's folder; it is made anew.")] = BUILD
    / "medium",
    inputs_folder: Fetched = BUILD / "inputs",
    profiles: Profiles = "cpu",
    key: Annotated[
        Path, typer.Option(help="GnuPG home of the release key; a trial key is made if empty.")
    ] = BUILD / "signing",
    iso: Annotated[bool, typer.Option("--iso", help="Write OUTPUT.iso too (xorriso).")] = False,
    source: Annotated[Path, typer.Option(help="The checkout to build.")] = ROOT,
) -> None:
    """Build the medium from what was fetched; uses no network."""
    if missing := [name for name in PROGRAMS if not shutil.which(name)]:
        console.print(f"missing: {', '.join(missing)}. apt-get install dpkg-dev gnupg git")
        raise typer.Exit(1)
    signer, wanted = Signer(key), _known(profiles)
    with console.status("building") as status:
        medium.build(
            *(source, inputs_folder, output, signer, wanted),
            lambda step: status.update(f"building: {step}"),
        )
        if iso:
            status.update("building: iso")
            medium.write_iso(output, output.with_suffix(".iso"), medium.release_epoch(source))
    size_mib = sum(p.stat().st_size for p in output.rglob("*") if p.is_file()) >> 20
    console.print(f"{output}: {size_mib} MiB, signed by {signer.fingerprint()}")


@app.command()
def compare(one: Path, other: Path) -> None:
    """Say which files of two media are not the same; exit code 1 if any."""
    differing = medium.differences(one, other)
    for name in differing:
        console.print(name)
    console.print(f"{len(differing)} files differ" if differing else "the media are the same")
    raise typer.Exit(1 if differing else 0)


def _known(profiles: str) -> tuple[str, ...]:
    named = tuple(name.strip() for name in profiles.split(",") if name.strip())
    if "cpu" not in named or set(named) - set(inputs.PROFILES):
        raise typer.BadParameter("cpu, or cpu,gpu", param_hint="--profiles")
    return named


if __name__ == "__main__":
    try:
        app()
    except (FetchFailed, SigningFailed) as error:
        raise SystemExit(f"{error}") from None
    except BundleInvalid as error:
        raise SystemExit(f"{error}; make weights") from None
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode(errors="replace") if error.stderr else ""
        raise SystemExit(f"{error.cmd[0]} failed: {words.strip()}") from None
