"""CDI specifications: which devices there are, which a name means, what they edit."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.sandbox.devices import Device, Devices, edits


def write(directory: Path, name: str, kind: str, *devices: dict[str, Any], **more: Any) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(json.dumps({"cdiVersion": "0.6.0", "kind": kind, "devices": devices, **more}))
    return path


def named(found: list[Device]) -> list[str]:
    return [device.name for device in found]


@pytest.fixture
def machine(tmp_path: Path) -> Devices:
    kind = "v.io/c"
    klass = {"org.mobyproject.buildkit.device.class": "fast"}
    write(
        tmp_path / "a",
        "one.json",
        kind,
        {"name": "x"},
        {"name": "b", "annotations": klass},
        {"name": "a", "annotations": klass},
    )
    write(tmp_path / "b", "two.json", kind, {"name": "x", "containerEdits": {"env": ["FROM=b"]}})
    return Devices([str(tmp_path / "a"), str(tmp_path / "missing"), str(tmp_path / "b")])


def test_names(machine: Devices) -> None:
    assert named(machine.find("v.io/c=x")) == ["v.io/c=x"]
    assert named(machine.find("v.io/c")) == ["v.io/c=a"]
    assert named(machine.find("v.io/c=*")) == ["v.io/c=a", "v.io/c=b", "v.io/c=x"]
    assert named(machine.find("v.io/c=fast")) == ["v.io/c=a", "v.io/c=b"]
    assert machine.find("v.io/d=x", optional=True) == []


def test_a_later_directory_goes_first(machine: Devices) -> None:
    assert machine.find("v.io/c=x")[0].edits == {"env": ["FROM=b"]}


@pytest.mark.parametrize("name", ["c=x", "/c=x", "v/=x", "v.io/c/d=x", "-v/c=x", "v.io/c.=x", ""])
def test_what_is_no_name(machine: Devices, name: str) -> None:
    with pytest.raises(UserError, match="invalid device"):
        machine.find(name)


def test_an_unknown_device_names_those_there_are(machine: Devices) -> None:
    with pytest.raises(UserError, match=r"required device 'v\.io/c=y' is not registered") as caught:
        machine.find("v.io/c=y")
    assert (
        "note",
        "the devices of this machine: v.io/c=a, v.io/c=b, v.io/c=x",
    ) in caught.value.diagnostic.notes


def test_two_files_of_one_directory_that_name_one_device(tmp_path: Path) -> None:
    write(tmp_path / "d", "1.json", "v.io/c", {"name": "x"})
    write(tmp_path / "d", "2.json", "v.io/c", {"name": "x"}, {"name": "y"})
    machine = Devices([str(tmp_path / "d")])
    assert list(machine.all()) == ["v.io/c=y"]
    with pytest.raises(UserError) as caught:
        machine.find("v.io/c=x")
    assert any("1.json both name" in text or "both name" in text for _, text in caught.value.diagnostic.notes)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"kind": "v.io/c"}', '{"kind": "v.io/c", "devices": [1]}', "\xff"]
)
def test_a_damaged_file_is_named_when_something_is_missing(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "d", "bad.json", "x")
    path.write_bytes(text.encode("latin-1"))
    write(tmp_path / "d", "good.json", "v.io/c", {"name": "x"})
    machine = Devices([str(tmp_path / "d")])
    assert named(machine.find("v.io/c=x")) == ["v.io/c=x"]
    with pytest.raises(UserError) as caught:
        machine.find("v.io/c=y", optional=True)
    assert any(str(path) in text for _, text in caught.value.diagnostic.notes)


def test_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("kind: v.io/c\ndevices:\n- name: x\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UserError) as caught:
        Devices([str(tmp_path)]).find("v.io/c=x")
    said = " ".join(text for _, text in caught.value.diagnostic.notes)
    assert str(path) in said
    assert "pip install PyYAML" in said


def test_edits_of_a_specification_come_once(tmp_path: Path) -> None:
    write(
        tmp_path / "d",
        "1.json",
        "v.io/c",
        {"name": "x", "containerEdits": {"env": ["N=x"], "additionalGids": [0, 9]}},
        {"name": "y", "containerEdits": {"env": ["N=y"]}},
        containerEdits={"env": ["ALL=1"]},
    )
    machine = Devices([str(tmp_path / "d")])
    found = edits(machine.find("v.io/c=*"), uid=0, gid=0, bound=False)
    assert found.env == ["ALL=1", "N=x", "N=y"]
    assert found.gids == [9]


def node(tmp_path: Path, uid: int = 0, bound: bool = False, **fields: object) -> Any:
    write(tmp_path / "d", "1.json", "v.io/c", {"name": "x", "containerEdits": {"deviceNodes": [fields]}})
    return edits(Devices([str(tmp_path / "d")]).find("v.io/c=x"), uid=uid, gid=uid, bound=bound)


def test_a_node_is_looked_up_on_the_machine(tmp_path: Path) -> None:
    found = node(tmp_path, path="/dev/mine", hostPath="/dev/null")
    assert found.devices == [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3}]
    assert found.rules == [{"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]
    assert found.devices[0].get("uid") is None


def test_a_node_belongs_to_the_user_of_the_step(tmp_path: Path) -> None:
    found = node(tmp_path, uid=5, path="/dev/null", fileMode=0o600, gid=9, permissions="r")
    assert found.devices == [
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 5, "gid": 9}
    ]
    assert found.rules[0]["access"] == "r"


def test_a_node_in_a_user_namespace_is_a_mount(tmp_path: Path) -> None:
    found = node(tmp_path, bound=True, path="/dev/mine", hostPath="/dev/null")
    assert (found.devices, found.rules) == ([], [])
    assert found.mounts[0]["source"] == "/dev/null"


@pytest.mark.parametrize(
    ("path", "word"), [("/dev/nothing-there", "no such file"), (os.devnull + "/x", "not a dir")]
)
def test_a_node_that_is_not_there(tmp_path: Path, path: str, word: str) -> None:
    with pytest.raises(UserError, match=word):
        node(tmp_path, path=path)


def test_a_node_that_is_no_device(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no device"):
        node(tmp_path, path="/etc/passwd")
