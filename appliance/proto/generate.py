"""Generate Python from our .proto again: `python -m appliance.proto.generate [FOLDER]`.

Needs grpcio-tools. googleapis-common-protos ships google/longrunning/operations.proto by another
file name; it is found here by its own.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = "lingting/hotline/v1/hotline.proto"


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
