"""The house style, as far as a machine can tell."""

from __future__ import annotations

import ast
import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.repository import files, name, sources

SOURCES = sources("appliance", "inference", "provisioning", "monitoring", "tools")
MOST_FILE_LINES, MOST_FUNCTION_LINES = 400, 60
PICKLES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
# Where weights are built, from published checkpoints: nothing but tensors comes out of it.
LETS_TENSORS_OUT = "provisioning/weights/checkpoint.py"
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME)\b")
URL = re.compile(r"\b(?:https?|wss?|grpcs?|ftp)://([^/\s:'\"`{}<>)]+|\[[^]]+\])")
ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
DOCUMENTATION = [
    ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
]
HOSTS = re.compile(
    r"localhost|host|box|0\.0\.0\.0|127\.\d+\.\d+\.\d+|\[?::1?\]?"
    r"|(?:[\w-]+\.)*(?:example|test|invalid|localhost)|(?:[\w-]+\.)*example\.(?:com|org|net|cn)"
)


def generated(path: Path) -> bool:
    return path.name.endswith(("_pb2.py", "_pb2_grpc.py"))


HANDWRITTEN = [path for path in SOURCES if not generated(path)]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", HANDWRITTEN, ids=name)
def test_file_is_short(path: Path) -> None:
    count = len(path.read_text(encoding="utf-8").splitlines())
    assert count <= MOST_FILE_LINES, f"{count} lines"


@pytest.mark.parametrize("path", HANDWRITTEN, ids=name)
def test_functions_are_short(path: Path) -> None:
    for function in functions(path):
        if function.name == "__init__" and path.name == "metrics.py":
            continue  # a table, one line a metric
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        assert lines <= MOST_FUNCTION_LINES, f"{function.name} has {lines} lines"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_pickles(path: Path) -> None:
    if name(path) == LETS_TENSORS_OUT:
        return
    for node in ast.walk(tree(path)):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        assert not {m.split(".")[0] for m in modules} & PICKLES, modules


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_calls_nobody_outside(path: Path) -> None:
    """Strings of the code name no host but this machine and those kept for documentation."""
    for node in ast.walk(tree(path)):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        for host in URL.findall(node.value):
            assert HOSTS.fullmatch(host), f"line {node.lineno}: {host}"
        for address in ADDRESS.findall(node.value):
            assert harmless(address), f"line {node.lineno}: {address}"


def harmless(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True  # a version, say
    kept = any(found in network for network in DOCUMENTATION)
    return found.is_loopback or found.is_unspecified or kept


def test_nothing_is_left_for_later() -> None:
    for path in files():
        if path.suffix in (".py", ".md", ".toml", ".pbtxt", ".in") or path.name == "Makefile":
            text = path.read_text(encoding="utf-8")
            assert not UNFINISHED.search(text), name(path)


def test_no_two_classes_have_one_name() -> None:
    where: dict[str, list[str]] = {}
    for path in (*HANDWRITTEN, *sources("tests")):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                where.setdefault(node.name, []).append(name(path))
    twice = {each: paths for each, paths in where.items() if len(paths) > 1}
    assert not twice
