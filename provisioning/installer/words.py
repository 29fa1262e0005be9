"""What an administrator reads: Chinese first, English by --lang en or an English locale."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

BAR_COLUMNS = 30


@dataclass(frozen=True, slots=True)
class Text:
    """The same sentence in both languages."""

    zh: str
    en: str

    def __str__(self) -> str:
        return self.en if Language.english else self.zh


class Language:
    """Which of the two is shown, for the whole program."""

    english = os.environ.get("LC_ALL", os.environ.get("LANG", "")).startswith("en")


class InstallError(Exception):
    """What was being done, why it failed, what to do. Nothing was left half done unless it says so.

    Args:
        code: exit status: 1 failed, 3 not fit, 4 another runs, 5 taken back.
    """

    def __init__(self, cause: Text, hint: Text | None = None, code: int = 1) -> None:
        super().__init__(str(cause))
        self.cause, self.hint, self.code = cause, hint, code

    def __str__(self) -> str:
        return f"{self.cause}" + (f"\n  → {self.hint}" if self.hint else "")


def say(text: Text | str) -> None:
    print(text, flush=True)


def warn(text: Text | str) -> None:
    sys.stdout.flush()  # piped together, they stay in their order
    print(text, file=sys.stderr, flush=True)


def confirm(question: Text, *, yes: bool) -> None:
    """Go on only if a person says so, or did in advance; raises InstallError."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InstallError(
            Text(f"{question}（没有终端可问）", f"{question} (there is no terminal to ask at)"),
            Text("加 --yes 表示同意", "--yes says that you agree"),
        )
    try:
        said = input(f"{question} [y/N] ").strip().lower()
    except EOFError:
        said = ""
    if said not in ("y", "yes", "是"):
        raise InstallError(Text("未作任何改动", "nothing was changed"))


def progress(done: int, all_: int) -> None:
    """A bar on the terminal's last line, gone at the end; a stick may be slow."""
    if not sys.stderr.isatty():
        return
    filled = BAR_COLUMNS * done // all_
    bar = "" if done == all_ else f"  [{'#' * filled:{BAR_COLUMNS}}] {done}/{all_}"
    print(f"\r\033[K{bar}", end="", file=sys.stderr, flush=True)
