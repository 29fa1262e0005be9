"""Files of a knowledge base: CSV, JSON, Markdown, text, Word and PDF, read into entries."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.assist.knowledge.edits import MOST_ANSWER
from appliance.assist.text.cells import unmarked
from appliance.errors import SettingsError

DOING = "read a knowledge base"
MOST_BYTES = 256 << 20
MOST_UNPACKED = 512 << 20  # of a Word file, which is an archive
MOST_RATIO = 200  # by which it may be packed
MOST_ENTRIES = 200_000
FORMS = "|｜"  # between forms of a question in one cell
ENCODINGS = ("utf-8-sig", "gb18030")
# Heads of columns, as editors write them.
NAMES = {
    "id": ("id", "编号"),
    "questions": ("question", "questions", "title", "问题", "标题", "标准问", "相似问"),
    "answer": ("answer", "text", "reply", "答案", "答复", "回复", "内容"),
    "kind": ("kind", "类型", "类别"),
    "department": ("department", "部门", "承办单位", "单位"),
    "scope": ("scope", "适用范围", "区划"),
    "valid_from": ("valid_from", "生效日期", "生效"),
    "valid_to": ("valid_to", "失效日期", "有效期至", "失效"),
    "source": ("source", "来源", "依据"),
    "tags": ("tags", "标签", "关键词"),
}
KINDS = {"通用": "general", "通用知识": "general", "政策": "policy", "政策法规": "policy"}
KINDS |= {"行业": "industry", "行业知识": "industry"}
LISTED = ("questions", "tags")
_FIELDS = {head: name for name, heads in NAMES.items() for head in heads}
_HEADING = re.compile(r"^#{1,6}\s+(\S.*)$")
_SETTING = re.compile(r"^(\S{1,12}?)\s*[:：]\s*(.+)$")

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """An entry as a file has it.

    Attributes:
        where: file and line, or page, for what is said of it.
    """

    where: str
    fields: Fields


def read_entries(path: Path) -> list[ReadEntry]:
    """All of a file.

    Raises:
        SettingsError: it cannot be read; says where it fails.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        hint = f"there are {', '.join(sorted(READERS))}"
        raise SettingsError(
            DOING, f"{path}: files of {path.suffix or 'no kind'} are not read", hint
        )
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SettingsError(DOING, f"{path} is larger than {MOST_BYTES >> 20} MiB", "split it")
        found = []
        for each in reader(path):
            found.append(each)
            if len(found) > MOST_ENTRIES:
                cause = f"{path} has more than {MOST_ENTRIES} entries"
                raise SettingsError(DOING, cause, "split it")
    except OSError as error:
        raise SettingsError(DOING, f"{path}: {error.strerror}", "check its path") from error
    if not found:
        raise SettingsError(DOING, f"{path} holds no entry", "docs/knowledge.md shows each format")
    return found


def _csv(path: Path) -> Iterator[ReadEntry]:
    rows = csv.DictReader(io.StringIO(_text(path)))
    known = {head: _FIELDS.get((head or "").strip().lower()) for head in rows.fieldnames or ()}
    if "answer" not in known.values():
        heads = ", ".join(str(head) for head in known) or "none"
        hint = f"one of {', '.join(NAMES['answer'])} holds the answer"
        raise SettingsError(DOING, f"{path}: of the columns ({heads}) none holds answers", hint)
    for row in _rows(rows, path):
        fields: Fields = {}
        for head, name in known.items():
            if name and (value := unmarked((row.get(head) or "").strip())):
                before = fields.get(name, "")
                fields[name] = f"{before}|{value}" if before else value
        if fields:  # one without an answer is told of, as any that cannot be kept
            fields.setdefault("answer", "")
            yield ReadEntry(f"{path}:{rows.line_num}", _with_lists(fields))


def _rows(rows: csv.DictReader[str], path: Path) -> Iterator[dict[str, str]]:
    try:
        yield from rows
    except csv.Error as error:
        cause = f"{path}:{rows.line_num}: {error}"
        raise SettingsError(DOING, cause, "an answer has 20,000 characters at most") from error


def _json(path: Path) -> Iterator[ReadEntry]:
    text = _text(path)
    try:
        if path.suffix.lower() == ".jsonl":
            lines = [line for line in text.splitlines() if line.strip()]
            found: Any = [json.loads(line) for line in lines]
        else:
            found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(DOING, f"{path}: it is no JSON: {error}", "check it") from error
    found = found.get("entries", found) if isinstance(found, dict) else found
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise SettingsError(DOING, f"{path}: it is no list of objects", "see docs/knowledge.md")
    for at, each in enumerate(found, 1):
        named = {_FIELDS.get(str(key).lower()): value for key, value in each.items()}
        yield ReadEntry(f"{path}: entry {at}", _with_lists({k: v for k, v in named.items() if k}))


def _markdown(path: Path) -> Iterator[ReadEntry]:
    """A heading is a question, what follows it the answer; `来源：...` above all holds for all."""
    return _by_headings(path, ((match, line) for match, line in _lines(_text(path))))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        match = _HEADING.match(line.rstrip())
        yield (match[1], "") if match else ("", line)


def _word(path: Path) -> Iterator[ReadEntry]:
    """Paragraphs in a heading's style are questions."""
    import docx
    from docx.opc.exceptions import PackageNotFoundError

    _check_archive(path)
    try:
        document = docx.Document(str(path))
    except (PackageNotFoundError, KeyError, ValueError) as error:
        raise SettingsError(DOING, f"{path} is no Word file: {error}", "save it anew") from error
    lines = []
    for paragraph in document.paragraphs:
        style = (paragraph.style.name or "") if paragraph.style else ""
        heading = style.lower().startswith(("heading", "title", "标题"))
        lines.append((paragraph.text, "") if heading else ("", paragraph.text))
    return _by_headings(path, lines)


def _pdf(path: Path) -> Iterator[ReadEntry]:
    """Its text, some pages an entry; its first line is what it is called."""
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        pages = [page.extract_text() for page in pypdf.PdfReader(path).pages]
    except (PyPdfError, ValueError, KeyError, RecursionError) as error:
        raise SettingsError(DOING, f"{path} cannot be read: {error}", "print it anew") from error
    title = next((line.strip() for page in pages for line in page.splitlines() if line.strip()), "")
    if not title:
        hint = "it may be a picture of a text: have it recognised first"
        raise SettingsError(DOING, f"{path} holds no text", hint)
    for first, text in _parts(pages):
        yield ReadEntry(f"{path}: page {first}", {"questions": [title[:200]], "answer": text})


def _parts(pages: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Whole pages together, as much as an entry may hold, with the first one's number."""
    first, text = 1, ""
    for at, page in enumerate(pages, 1):
        if text and len(text) + len(page) >= MOST_ANSWER:
            yield first, text
            first, text = at, ""
        text += page[:MOST_ANSWER] + "\n"
    if text.strip():
        yield first, text[:MOST_ANSWER]


def _by_headings(path: Path, lines: Iterable[tuple[str, str]]) -> Iterator[ReadEntry]:
    shared: Fields = {}
    heading, body, begun, at = "", list[str](), 1, 0
    for at, (title, line) in enumerate(lines, 1):
        if title:
            yield from _entry(path, begun, heading, body, shared)
            heading, body, begun = title, [], at
        elif not heading and (match := _SETTING.match(line.strip())) and match[1] in _FIELDS:
            shared[_FIELDS[match[1]]] = match[2].strip()
        else:
            body.append(line)
    yield from _entry(path, begun, heading or path.stem, body, shared)


def _entry(
    path: Path, line: int, heading: str, body: Iterable[str], shared: Fields
) -> Iterator[ReadEntry]:
    if answer := "\n".join(body).strip():
        fields = {**shared, "questions": heading, "answer": answer}
        yield ReadEntry(f"{path}:{line}", _with_lists(fields))


def _with_lists(fields: Fields) -> Fields:
    made = dict(fields)
    for name in LISTED:
        if isinstance(value := made.get(name), str):
            made[name] = [part.strip() for part in re.split(f"[{FORMS};；]", value) if part.strip()]
    if "kind" in made:
        made["kind"] = KINDS.get(str(made["kind"]), made["kind"])
    return made


def _text(path: Path) -> str:
    data = path.read_bytes()
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SettingsError(DOING, f"{path} is neither UTF-8 nor GB 18030", "save it as UTF-8")


def _check_archive(path: Path) -> None:
    """A small archive may unpack to more than the machine holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise SettingsError(
            DOING, f"{path} is no Word file: {error}", "save it as .docx"
        ) from error
    packed = max(path.stat().st_size, 1)
    if unpacked > MOST_UNPACKED or unpacked / packed > MOST_RATIO:
        cause = f"{path} would unpack to {unpacked >> 20} MiB, {unpacked // packed} times its size"
        raise SettingsError(DOING, cause, "no document does: do not trust it")


READERS: dict[str, Callable[[Path], Iterator[ReadEntry]]] = {
    ".csv": _csv,
    ".json": _json,
    ".jsonl": _json,
    ".md": _markdown,
    ".txt": _markdown,
    ".docx": _word,
    ".pdf": _pdf,
}
