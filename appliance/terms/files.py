"""Lists of terms in files: one a line, or CSV with a head line text,weight,category."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.errors import SettingsError
from appliance.terms.term import LONGEST_TERM, MOST_TERMS, Term

READING = "read a list of terms"
COLUMNS = ("text", "weight", "category")  # the head line of CSV begins with the first
HEAVIEST = 5.0  # nats


def read_terms(path: Path) -> list[Term]:
    """Raises SettingsError naming the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(READING, f"{path} is not UTF-8 text", "save it as UTF-8") from error
    except OSError as error:
        raise SettingsError(READING, f"{path}: {error.strerror or error}") from error
    return parse_terms(text, str(path))


def written_terms(terms: Sequence[Term]) -> str:
    """As `parse_terms` reads it: lines where they say it all, else CSV."""
    if not any(term.weight or term.category for term in terms):
        return "".join(f"{term.text}\n" for term in terms)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows((term.text, f"{term.weight:g}", term.category) for term in terms)
    return text.getvalue()


def parse_terms(text: str, name: str) -> list[Term]:
    """Raises SettingsError; `name` is the list's, for the message."""
    terms: dict[str, Term] = {}
    for line, term in _lines(text, name):
        if len(term.text) > LONGEST_TERM:
            cause = f"{name}, line {line}: {len(term.text)} characters"
            raise SettingsError(READING, cause, f"a term has {LONGEST_TERM} at most")
        terms.setdefault(term.text, term)
        if len(terms) > MOST_TERMS:
            cause = f"{name} has more than {MOST_TERMS} terms"
            raise SettingsError(READING, cause, "leave out what is seldom said")
    return list(terms.values())


def _lines(text: str, name: str) -> Iterator[tuple[int, Term]]:
    if text.split("\n", 1)[0].split(",")[0].strip() != COLUMNS[0]:
        for number, line in enumerate(text.splitlines(), 1):
            if word := line.split("#")[0].strip():
                yield number, Term(word)
        return
    rows = csv.DictReader(io.StringIO(text))
    for row in rows:
        word, weight = (row.get("text") or "").strip(), (row.get("weight") or "0").strip()
        try:
            nats = float(weight)
        except ValueError:
            nats = math.nan
        if not abs(nats) <= HEAVIEST:
            cause = f"{name}, line {rows.line_num}: weight {weight!r:.40}"
            raise SettingsError(READING, cause, f"a number from -{HEAVIEST:g} to {HEAVIEST:g}")
        if word:
            yield rows.line_num, Term(word, nats, (row.get("category") or "").strip())
