"""Generate the `*_pb2` modules from the `.proto` files: `python -m pybuild.compiler.protos.generate`."""

from __future__ import annotations

import glob
import os
import sys


def compiled(*outputs: str) -> int:
    """Run protoc with the flags `outputs`; return its exit code.

    protoc comes with grpcio-tools, a development dependency.
    """
    import google.rpc.status_pb2
    from grpc_tools import protoc

    root = _root()
    common = os.path.abspath(os.path.join(os.path.dirname(google.rpc.status_pb2.__file__), "..", ".."))
    included = os.path.join(os.path.dirname(protoc.__file__), "_proto")
    files = sorted(glob.glob("pybuild/compiler/protos/*.proto", root_dir=root))
    flags = [f"-I{path}" for path in (root, common, included)]
    code: int = protoc.main(["protoc", *flags, *outputs, *files])
    return code


def _root() -> str:
    """Return the directory that holds the package."""
    import pybuild

    return os.path.dirname(os.path.dirname(os.path.abspath(pybuild.__file__)))


if __name__ == "__main__":
    sys.exit(compiled(f"--python_out={_root()}", f"--pyi_out={_root()}"))
