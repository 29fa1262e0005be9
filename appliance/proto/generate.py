"""Generate Python from our .proto again: `python -m appliance.proto.generate [FOLDER]`.

Needs grpcio-tools. googleapis-common-protos ships google/longrunning/operations.proto by another
file name; it is found here by its own.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = "lingting/hotline/v1/hotline.proto"
OPERATIONS = "google/longrunning/operations.proto"
IMPORT = re.compile(r'^import (?:public )?"([^"]+)";', re.MULTILINE)


def imports() -> dict[str, Path]:
    """What our .proto needs beside the types that protoc brings: files by the names they are
    imported by, theirs included."""
    from google import longrunning

    shipped = Path(next(iter(longrunning.__path__)))
    known = {OPERATIONS: shipped / "operations_proto.proto"}
    found: dict[str, Path] = {}
    waiting = [HERE / SOURCE]
    while waiting:
        for name in IMPORT.findall(waiting.pop().read_text(encoding="utf-8")):
            if name not in found and not name.startswith("google/protobuf/"):
                found[name] = known.get(name, shipped.parent.parent / name)
                waiting.append(found[name])
    return found


def generate(target: Path) -> None:
    """Write hotline_pb2.py and its stub below `target`; raises SystemExit if protoc refuses."""
    from google import longrunning
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder, as_file(files("grpc_tools") / "_proto") as known:
        shipped = Path(next(iter(longrunning.__path__)))
        include = Path(folder) / "google" / "longrunning"
        include.mkdir(parents=True)
        shutil.copy(shipped / "operations_proto.proto", include / "operations.proto")
        paths = (HERE, folder, known, shipped.parent.parent)
        arguments = ["protoc", *(f"-I{path}" for path in paths)]
        arguments += [f"--python_out={target}", f"--pyi_out={target}", SOURCE]
        if protoc.main(arguments):
            raise SystemExit(f"protoc refused {SOURCE}")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
