"""The medium's bill of materials: CycloneDX 1.6, the same bytes for the same contents."""

from __future__ import annotations

import email
import hashlib
import json
import re
import subprocess
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

NAMESPACE = uuid.UUID("6f0bd5a0-0d4e-4ad2-9c1f-1c1b0f3b6a11")  # of our serial numbers
LICENCE_LENGTH = 200  # some packages put the whole text where its name belongs


def write(medium: Path, version: str, epoch: int, target: Path) -> None:
    """List every wheel, Debian package and model under `medium`."""
    box = Component(
        name="lingting",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref=f"lingting@{version}",
        licenses=[DisjunctiveLicense(id="Apache-2.0")],
    )
    bom = Bom(components=sorted(_components(medium)))
    bom.metadata.component = box
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.register_dependency(box, bom.components)
    digests = sorted(str(component.bom_ref) for component in bom.components)
    bom.serial_number = uuid.uuid5(NAMESPACE, "\n".join([version, *digests]))
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    target.write_text(text + "\n", encoding="utf-8")


def _components(medium: Path) -> list[Component]:
    wheels = {path.name: path for path in medium.glob("wheels/*/*.whl")}
    packages = [*medium.glob("apt/*.deb"), *medium.glob("packages/*.deb")]
    return [
        *(_wheel(path) for path in wheels.values()),
        *(_package(path) for path in packages),
    ]


def _wheel(path: Path) -> Component:
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        metadata = email.message_from_bytes(archive.read(name))
    named, version = str(metadata["Name"]), str(metadata["Version"])
    licence = str(metadata["License-Expression"] or metadata["License"] or "").split("\n")[0]
    return _component(
        named, version, PackageURL("pypi", None, named.lower(), version), path, licence
    )


def _package(path: Path) -> Component:
    shown = subprocess.run(
        ["dpkg-deb", "--show", "--showformat=${Package} ${Version} ${Architecture}", str(path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    name, version, architecture = shown.split()
    url = PackageURL("deb", "debian", name, version, {"arch": architecture})
    return _component(name, version, url, path, "")


def _component(name: str, version: str, url: PackageURL, path: Path, licence: str) -> Component:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Component(
        name=name,
        version=version,
        purl=url,
        bom_ref=f"{url.to_string()}#{digest[:16]}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        licenses=[DisjunctiveLicense(name=licence[:LICENCE_LENGTH])] if licence else [],
        type=ComponentType.LIBRARY,
    )


def count(path: Path) -> int:
    """Components listed in a bill."""
    return len(json.loads(path.read_text(encoding="utf-8"))["components"])
