"""A report as a page that stands by itself: no scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

STYLE = """
body{font:15px/1.6 system-ui,"Noto Sans SC",sans-serif;max-width:46rem;margin:2rem auto;
  padding:0 1rem;color:#1c2430}
table{border-collapse:collapse;margin:.6rem 0}
td,th{padding:.25rem .8rem;border-bottom:1px solid #d9dee5;text-align:right}
td:first-child,th:first-child{text-align:left}
h2{margin-top:2rem}.good{color:#116b3a}.bad{color:#a3212b}figcaption{color:#5a6675}
svg{background:#fafbfc}svg text{font-size:12px}
"""


def document(title: str, parts: Iterable[str]) -> str:
    """HTML of parts that are HTML already."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = "".join(parts)
    return f'<!doctype html><html lang="zh-CN"><head>{head}</head><body>{body}</body></html>\n'


def bullets(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
