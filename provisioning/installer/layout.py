"""Where everything lies: one constant for each place, and the only file that spells paths."""

from __future__ import annotations

from pathlib import Path

OPT = Path("/opt/lingting")
RELEASES = OPT / "releases"
CURRENT = OPT / "current"  # a link to the release that serves

ETC = Path("/etc/lingting")
CONFIG = ETC / "lingting.toml"
ANSWERS = ETC / "install.toml"
CREDENTIALS = ETC / "credentials"
PKI = ETC / "pki"
SERVER = PKI / "server"  # .pem; its key is a credential
ADMINS = Path("/root/lingting-admins")  # the first admins' keys, to be handed out
TRUST = ETC / "release-key.gpg"  # whose media are taken, from the first installation on
FIREWALL = ETC / "firewall.nft"

DATA = Path("/var/lib/lingting")
AUDIT = DATA / "audit"
STORE = DATA / "store"
MODELS = Path("/var/lib/lingting-models")  # imported bundles: the gateway writes, models read
TRUSTED = ETC / "trusted"  # public keys whose bundles are taken
STATE = Path("/var/lib/lingting-install")  # the installer's own
SNAPSHOTS = STATE / "snapshots"
LOG = Path("/var/log/lingting-install.log")

UNITS = Path("/etc/systemd/system")
COMMAND = Path("/usr/local/sbin/lingting-install")
CLI = Path("/usr/local/bin/lingting")

USER, MODELS_USER, GROUP = "lingting", "lingting-models", "lingting"
KEPT_RELEASES = 3  # the one that serves among them


def venv(release: Path) -> Path:
    return release / "venv"


def lingting(release: Path) -> str:
    """The release's own command."""
    return str(venv(release) / "bin" / "lingting")


def machine(release: Path) -> Path:
    """What was found out about this machine, as the release's services read it."""
    return release / "machine.env"


def current_release() -> Path | None:
    """The release that serves, or None."""
    return CURRENT.resolve() if CURRENT.is_symlink() and CURRENT.exists() else None


def current_version() -> str | None:
    release = current_release()
    return release.name if release else None
