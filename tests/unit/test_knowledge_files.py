"""Files of a knowledge base: every format, and what cannot be read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from appliance.cli.kb_files import read_entries
from appliance.errors import SettingsError

ANSWER = "带身份证到公积金中心办理。"


def written(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "gb18030"])
def test_a_table_in_chinese(tmp_path: Path, encoding: str) -> None:
    heads = "编号,标准问,相似问,答案,类型,有效期至"
    table = f"{heads}\nk1,怎么提取,提取条件|如何提取,{ANSWER},政策法规,2026-12-31\n"
    (found,) = read_entries(written(tmp_path, "a.csv", table.encode(encoding)))
    assert found.fields == {
        "id": "k1",
        "questions": ["怎么提取", "提取条件", "如何提取"],
        "answer": ANSWER,
        "kind": "policy",
        "valid_to": "2026-12-31",
    }
    assert found.where.endswith("a.csv:2")


def test_json_of_both_forms(tmp_path: Path) -> None:
    entries = [{"question": "怎么提取", "answer": ANSWER}, {"title": "二", "text": "三"}]
    one = read_entries(written(tmp_path, "a.json", json.dumps({"entries": entries})))
    lines = "\n".join(map(json.dumps, entries))
    assert [each.fields for each in one] == [
        each.fields for each in read_entries(written(tmp_path, "a.jsonl", lines))
    ]
    assert one[1].fields == {"questions": ["二"], "answer": "三"}


def test_headings_are_questions(tmp_path: Path) -> None:
    shared = "来源：管理办法\n失效日期: 2027-01-01\n\n"
    text = f"{shared}# 怎么提取\n{ANSWER}\n第二行\n## 提取条件\n满三个月。\n"
    one, two = read_entries(written(tmp_path, "办法.md", text))
    assert one.fields["questions"] == ["怎么提取"] and one.fields["source"] == "管理办法"
    assert one.fields["answer"] == f"{ANSWER}\n第二行" and two.fields["valid_to"] == "2027-01-01"
    (plain,) = read_entries(written(tmp_path, "通知.txt", "没有标题的一段话。"))
    assert plain.fields["questions"] == ["通知"]


def test_a_word_file(tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    document.add_heading("怎么提取", 1)
    document.add_paragraph(ANSWER)
    document.save(str(tmp_path / "a.docx"))
    (found,) = read_entries(tmp_path / "a.docx")
    assert found.fields == {"questions": ["怎么提取"], "answer": ANSWER}


def test_a_word_file_that_unpacks_to_too_much_is_not_opened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * (64 << 20))
    with pytest.raises(SettingsError, match="would unpack"):
        read_entries(tmp_path / "bomb.docx")


def test_a_pdf(tmp_path: Path) -> None:
    (found,) = read_entries(written(tmp_path, "a.pdf", PDF))
    assert found.fields["questions"] == ["Fund withdrawal"]
    assert "identity card" in found.fields["answer"]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.csv", "问题,部门\n一,二\n", "none holds answers"),
        ("a.csv", "", "none holds answers"),
        ("a.csv", "问题,答案\n,\n", "holds no entry"),
        ("a.csv", b"\xff\xfe\x00\xd8", "neither UTF-8 nor GB 18030"),
        ("a.json", "{", "is no JSON"),
        ("a.json", "[" * 100_000, "is no JSON"),
        ("a.json", '"text"', "is no list"),
        ("a.xls", "x", "are not read"),
        ("a.docx", "x", "is no Word file"),
        ("a.pdf", "x", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told(
    tmp_path: Path, name: str, data: str | bytes, told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        read_entries(written(tmp_path, name, data))


@pytest.mark.parametrize("kind", ["csv", "json", "md", "docx", "pdf"])
def test_a_file_that_is_missing_is_told(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SettingsError, match="check its path"):
        read_entries(tmp_path / f"missing.{kind}")


def _pdf(*lines: str) -> bytes:
    """The least that a reader takes."""
    shown = "".join(f"({line}) Tj 0 -14 Td\n" for line in lines)
    stream = f"BT /F1 12 Tf 72 720 Td\n{shown}ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for at, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (at, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    xref = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    return out + xref + trailer + b"startxref\n%d\n%%%%EOF\n" % len(out)


PDF = _pdf("Fund withdrawal", "Bring your identity card.")
