"""A private authority for one box: its server certificate, and clients' for hotline systems.

ECDSA P-256, as every hotline's TLS library speaks it. SM2 needs a terminator in front
(docs/security.md).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.errors import Conflict, NotFound
from appliance.files import make_private, write_atomic, write_new

AUTHORITY_DAYS, SERVER_DAYS, CLIENT_DAYS = 3650, 825, 398
BACKDATED = timedelta(minutes=5)  # clocks of others may be a little behind
DOING = "make a certificate"


class Authority:
    """A folder with ca.pem and ca.key; keep the key off the box once the certificates are made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.certificate_path, self._key_path = folder / "ca.pem", folder / "ca.key"

    def create(self, name: str) -> None:
        """Raises Conflict if there is one: certificates made by it would be worth nothing."""
        if self.certificate_path.exists():
            raise Conflict(
                DOING, f"{self.certificate_path} exists", "use it, or name another --folder"
            )
        make_private(self._folder)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        builder = _builder(subject, subject, key.public_key(), AUTHORITY_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
        builder = builder.add_extension(_usage(signs=True), critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())
        self._key_path.unlink(missing_ok=True)  # of a try that was cut off: no certificate, no use
        write_new(self._key_path, _pem(key))
        _write_whole(self.certificate_path, certificate)

    def issue_server(self, names: Sequence[str], target: Path, days: int = SERVER_DAYS) -> Path:
        """`target`.pem and .key for a box of these DNS names and addresses."""
        return self._issue(names[0], target, days, ExtendedKeyUsageOID.SERVER_AUTH, names)

    def issue_client(self, name: str, target: Path, days: int = CLIENT_DAYS) -> Path:
        """`target`.pem and .key for one hotline system or admin."""
        return self._issue(name, target, days, ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def _issue(
        self,
        common_name: str,
        target: Path,
        days: int,
        purpose: x509.ObjectIdentifier,
        names: Sequence[str],
    ) -> Path:
        authority, authority_key = self._load()
        path = target.with_name(f"{target.name}.pem")
        if path.exists():
            raise Conflict(DOING, f"{path} exists", "move it away first")
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name), authority.subject, key.public_key(), days)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        builder = builder.add_extension(_usage(signs=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        of = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
        builder = builder.add_extension(of, critical=False)
        if names:
            alternatives = x509.SubjectAlternativeName([_alternative(each) for each in names])
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(authority_key, hashes.SHA256())
        target.parent.mkdir(parents=True, exist_ok=True)
        key_path = target.with_name(f"{target.name}.key")
        key_path.unlink(missing_ok=True)
        write_new(key_path, _pem(key))
        _write_whole(path, certificate)
        return path

    def _load(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        try:
            certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
            key = serialization.load_pem_private_key(self._key_path.read_bytes(), None)
        except OSError as error:
            hint = "make the authority first: lingting pki init"
            if self.certificate_path.exists():
                hint = f"bring {self._key_path.name} back from where it is kept, for this once"
            raise NotFound(DOING, f"{error.filename}: {error.strerror}", hint) from error
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return certificate, key


def fingerprint(path: Path) -> str:
    """SHA-256 of a PEM certificate's DER, hex: what the box knows it by; raises NotFound."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NotFound("read a certificate", f"{path}: {error}", "it must be PEM") from error
    return certificate.fingerprint(hashes.SHA256()).hex()


def days_left(path: Path) -> float:
    """Until a PEM certificate expires; negative if it has. Raises NotFound."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NotFound("read a certificate", f"{path}: {error}", "it must be PEM") from error
    return (certificate.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lingting"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]),
        ]
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_whole(path: Path, certificate: x509.Certificate) -> None:
    """All of it or nothing, whenever the power goes."""
    write_atomic(path, certificate.public_bytes(serialization.Encoding.PEM))
