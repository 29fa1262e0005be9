"""What the admins' commands have in common: a box to ask, and who is asking."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from appliance.errors import EngineUnavailable, Forbidden, InvalidRequest, SettingsError
from appliance.settings import Settings, load_settings

TIMEOUT_S = 30.0
PATIENT = httpx.Timeout(TIMEOUT_S, read=None)  # bundles are hashed and loaded: however long
DOING = "ask the box"

Server = Annotated[
    str, typer.Option(help="The box, e.g. https://box:9000; else this machine's own.")
]
KeyFile = Annotated[Path | None, typer.Option(help="File with your key.")]
Certificate = Annotated[
    Path | None, typer.Option(help="Your client certificate, PEM; its key beside it as .key.")
]
Authority = Annotated[
    Path | None, typer.Option(help="The box's authority, PEM; else the one this machine trusts.")
]


class AdminClient:
    """HTTP to one box; raises LingtingError in the box's own words."""

    def __init__(
        self,
        server: str = "",
        key_file: Path | None = None,
        certificate: Path | None = None,
        authority: Path | None = None,
        *,
        patient: bool = False,
    ) -> None:
        """`patient`: wait however long the box works on it."""
        self._timeout = PATIENT if patient else httpx.Timeout(TIMEOUT_S)
        self._headers = {"authorization": f"Bearer {_key(key_file)}"} if key_file else {}
        self._url, self._transport = _where(server, certificate, authority)

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """JSON in, JSON out."""
        return self._send(method, path, query, json=body).json()

    def delete(self, path: str) -> None:
        self._send("DELETE", path)

    def upload(self, path: str, pieces: Iterator[bytes], size: int, **query: Any) -> Any:
        """Send a file of that many bytes; JSON out."""
        headers = {"content-length": str(size), "content-type": "application/x-tar"}
        return self._send("POST", path, query, content=pieces, headers=headers).json()

    def download(self, path: str, target: Path) -> None:
        """A GET's body into a file, which is whole or not there."""
        draft = target.with_name(f".{target.name}.part")
        try:
            with (
                draft.open("wb") as file,
                self._asking(),
                self._client() as client,
                client.stream("GET", path) as answer,
            ):
                if answer.is_error:
                    answer.read()
                    self._refuse(answer)
                for piece in answer.iter_bytes():
                    file.write(piece)
            draft.rename(target)
        finally:
            draft.unlink(missing_ok=True)

    def _send(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, **body: Any
    ) -> httpx.Response:
        with self._asking(), self._client() as client:
            answer = client.request(method, path, params=query, **body)
        if answer.is_error:
            self._refuse(answer)
        return answer

    def _client(self) -> httpx.Client:
        return httpx.Client(
            transport=self._transport,
            base_url=self._url,
            timeout=self._timeout,
            headers=self._headers,
        )

    def _refuse(self, answer: httpx.Response) -> None:
        hint = "" if self._headers else "say who you are: --key-file, --certificate, --server"
        if answer.status_code in (401, 403):
            raise Forbidden(DOING, _words(answer), hint or "another key, of a role that may")
        if answer.status_code == 429 or answer.is_server_error:
            raise EngineUnavailable(DOING, _words(answer), "try again in a moment")
        raise InvalidRequest(DOING, _words(answer), hint)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            hint = "is the box running? name another by --server"
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                hint = "name the box's ca.pem by --authority, and the box as its certificate does"
            raise EngineUnavailable(DOING, f"{self._url}: {error}", hint) from error


def _words(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"it answered {answer.status_code}"


def _key(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError("read your key", f"{path}: {error.strerror}") from error


def _where(
    server: str, certificate: Path | None, authority: Path | None
) -> tuple[str, httpx.HTTPTransport]:
    settings = load_settings()
    if not server and not certificate and settings.local.folder:
        socket = settings.local.folder / "http.sock"
        return "http://box", httpx.HTTPTransport(uds=str(socket))
    if not server and not settings.http.tls_certificate:
        return _plain(settings), httpx.HTTPTransport()
    authority = authority or _own_authority(settings, server)
    for path in filter(
        None, (authority, certificate, certificate and certificate.with_suffix(".key"))
    ):
        if not path.is_file():
            raise SettingsError(DOING, f"there is no file {path}", "name it from where you are")
    context = ssl.create_default_context(cafile=str(authority) if authority else None)
    if certificate:
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return server or _secured(settings), httpx.HTTPTransport(verify=context)


def _own_authority(settings: Settings, server: str) -> Path | None:
    """On the box itself its authority is known; elsewhere whoever asks has to name it."""
    own = settings.http.tls_client_ca
    return own if own and own.is_file() else None


def _plain(settings: Settings) -> str:
    return f"http://{settings.http.host}:{settings.http.port}"


def _secured(settings: Settings) -> str:
    return f"https://127.0.0.1:{settings.http.port}"
