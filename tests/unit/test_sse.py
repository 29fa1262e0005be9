"""Server-sent events as a browser reads them."""

from __future__ import annotations

import json

import pytest

from appliance.api.http.sse import written


def read(event: str) -> dict[str, str]:
    """The fields; lines end with LF, CR or CRLF and nothing else."""
    assert event.endswith("\n\n")
    fields: dict[str, str] = {}
    for line in event[:-2].replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, _, value = line.partition(": ")
        fields[name] = f"{fields[name]}\n{value}" if name in fields else value
    return fields


@pytest.mark.parametrize("text", ["您好", "a\u2028b\u2029c\x85d", "x\ny\r\nz", "\x0b\x0c\x1c\x1d"])
def test_json_comes_out_as_it_went_in(text: str) -> None:
    event = written(json.dumps({"text": text}, ensure_ascii=False), name="final", sequence=7)
    fields = read(event)
    assert json.loads(fields["data"]) == {"text": text}
    assert (fields["event"], fields["id"]) == ("final", "7")


def test_html_keeps_its_lines() -> None:
    assert read(written("<p>\n\n</p>", name="calls"))["data"] == "<p>\n</p>"
