"""From a stick to the box and back, by the command, over the admins' door."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from appliance.access.roles import EVERY_TENANT, Principal
from appliance.cli.app import app
from appliance.models.archive import names_in, pack, packed_size
from appliance.models.serving import serving_settings
from appliance.models.signing import TrustedKeys, create_key, sign
from appliance.security import audit
from appliance.settings.doors import AccessSettings
from appliance.settings.engines import ModelsSettings
from inference.bundles import MANIFEST, seal
from tests.integration.gateway import RunningGateway, gateway

INSTALLER = Principal("installer", EVERY_TENANT, frozenset())
ROUTE = "/api/v1/admin/bundles"


class Administrator:
    """Somebody with the system admin's key, a signing key and a stick."""

    def __init__(self, box: RunningGateway, folder: Path, bundle: Path) -> None:
        self.box, self.folder, self._bundle = box, folder, bundle
        self.models = box.box.settings.models

    async def settle(self) -> None:
        made = await self.box.access.first_admins(INSTALLER)
        keys = {each.credential.roles[0]: each.key for each in made}
        self.key = keys["system_admin"]
        (self.folder / "admin.token").write_text(self.key)
        create_key(self.folder / "city.key")
        TrustedKeys(self.models.trusted).add(self.folder / "city.pub", "city")

    def stick(self, version: str, *, signed: bool = True) -> Path:
        folder = self.folder / "stick" / version
        shutil.copytree(self._bundle, folder)
        told = json.loads((folder / MANIFEST).read_text())
        kept = {k: v for k, v in told.items() if k not in ("format", "files")}
        seal(folder, **{**kept, "name": "tiny", "version": version})
        if signed:
            sign(folder, self.folder / "city.key")
        return folder

    async def says(self, *command: str) -> str:
        """Run `lingting models ...` against the box."""
        asked = ["models", *command, "--server", self.box.http]
        asked += ["--key-file", str(self.folder / "admin.token")]
        done = await asyncio.to_thread(CliRunner().invoke, app, asked)
        return done.output if done.exit_code == 0 else f"{done.exit_code}: {done.exception}"

    def client(self) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.AsyncClient(base_url=self.box.http, headers=headers)


@pytest.fixture
async def admin(tmp_path: Path, tiny_bundle: Path) -> AsyncIterator[Administrator]:
    models = ModelsSettings(
        asr=tiny_bundle, library=tmp_path / "models", trusted=tmp_path / "trusted"
    )
    async with gateway(tmp_path, access=AccessSettings(keys="always"), models=models) as box:
        made = Administrator(box, tmp_path, tiny_bundle)
        await made.settle()
        yield made


async def test_from_a_stick_to_the_box_and_back(admin: Administrator, tmp_path: Path) -> None:
    assert "imported: tiny@2" in await admin.says("import", str(admin.stick("2")))
    assert "imported: tiny@3" in await admin.says("import", str(admin.stick("3")))
    assert "signed by city" in await admin.says("verify", "tiny@2")
    assert "tiny@3" in await admin.says("activate", "tiny@3")
    assert "tiny@2" in await admin.says("activate", "tiny@2", "--slot", "asr")
    assert "tiny@3" in await admin.says("rollback", "asr")
    told = json.loads(await admin.says("list", "--json"))
    assert told["slots"]["asr"] == {"active": "tiny@3", "before": "tiny@2", "proven": ""}
    assert {b["ref"]: b["serves"] for b in told["bundles"]}["tiny@3"] == ["asr"]
    assert "way back" in await admin.says("remove", "tiny@2")
    await admin.says("export", "tiny@3", str(tmp_path / "tiny.tar"))
    await admin.says("activate", "tiny@2")
    assert "is here" in await admin.says("import", str(tmp_path / "tiny.tar"))
    assert "licence" in await admin.says("show", "tiny@3")


async def test_an_export_is_taken_elsewhere(admin: Administrator, tmp_path: Path) -> None:
    await admin.says("import", str(admin.stick("2")))
    assert "MB" in await admin.says("export", "tiny@2", str(tmp_path / "tiny.tar"))
    assert "removed" in await admin.says("remove", "tiny@2")
    assert "imported: tiny@2" in await admin.says("import", str(tmp_path / "tiny.tar"))


async def test_what_nobody_vouches_for_is_refused(admin: Administrator) -> None:
    unsigned = admin.stick("2", signed=False)
    assert "signature.json is missing" in await admin.says("import", str(unsigned))
    async with admin.client() as client:  # nor past the command's own look
        names = names_in(unsigned)
        size = {"content-length": str(packed_size(unsigned, names))}
        content = b"".join(pack(unsigned, names))
        answer = await client.post(ROUTE, content=content, headers=size)
    assert answer.status_code == 400 and "signature.json is missing" in answer.text
    assert not list(admin.models.library.glob("*/*"))


@pytest.mark.parametrize("cut", [10, 600, 3000, -3000])
async def test_half_an_archive_leaves_nothing(admin: Administrator, cut: int) -> None:
    folder = admin.stick("2")
    content = b"".join(pack(folder, names_in(folder)))[:cut]
    async with admin.client() as client:
        answer = await client.post(ROUTE, content=content)
    assert answer.status_code == 400, answer.text
    assert not list(admin.models.library.glob("*/*"))


async def test_older_needs_a_word(admin: Administrator) -> None:
    await admin.says("import", str(admin.stick("10")))
    older = str(admin.stick("9"))
    assert "--allow-downgrade" in await admin.says("import", older)
    assert "imported: tiny@9" in await admin.says("import", older, "--allow-downgrade")


async def test_every_act_is_in_the_audit_log(admin: Administrator) -> None:
    await admin.says("import", str(admin.stick("2")))
    await admin.says("activate", "tiny@2")
    await admin.says("rollback", "asr")
    records = audit.page(admin.box.access.audit_folder, 0, 100)
    acts = [record["act"] for record in records if record["outcome"] == "done"]
    assert [act for act in acts if act.startswith("bundle.")] == [
        *("bundle.import", "bundle.activate", "bundle.rollback")
    ]


async def test_a_flipped_bit_serves_nobody(
    admin: Administrator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is found at the next start: the version before serves again, and the log names why."""
    for name in ("library", "trusted"):
        monkeypatch.setenv(f"LINGTING_MODELS__{name}".upper(), str(getattr(admin.models, name)))
    for version in ("2", "3"):
        await admin.says("import", str(admin.stick(version)))
        await admin.says("activate", f"tiny@{version}")
    assert serving_settings().models.asr == admin.models.library / "tiny" / "3"
    model = admin.models.library / "tiny" / "3" / "model.bin"
    whole = bytearray(model.read_bytes())
    whole[len(whole) // 2] ^= 1
    model.write_bytes(whole)
    assert serving_settings().models.asr == admin.models.library / "tiny" / "2"
    assert "model.bin is altered" in caplog.text
    assert "model.bin is altered" in await admin.says("activate", "tiny@3")
