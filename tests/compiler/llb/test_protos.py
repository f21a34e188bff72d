"""The modules of BuildKit's messages are what the `.proto` files say."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from pybuild.compiler.protos.generate import compiled


def test_the_modules_are_those_of_the_files(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert compiled(f"--descriptor_set_out={made}") == 0
    files = FileDescriptorSet.FromString(made.read_bytes()).file
    assert len(files) > 10
    for file in files:
        module = import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
        written = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(written)
        file.ClearField("source_code_info")
        for one in file.message_type:
            _without_json_names(one)
        assert written == file, file.name


def _without_json_names(message: object) -> None:
    """The compiler writes down names that follow from the others."""
    for field in message.field:  # type: ignore[attr-defined]
        field.ClearField("json_name")
    for nested in message.nested_type:  # type: ignore[attr-defined]
        _without_json_names(nested)
