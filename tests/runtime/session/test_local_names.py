from __future__ import annotations

import pytest

from pybuild.runtime.clients.localclient import LocalClient
from pybuild.runtime.clients.localnames import LocalNames


def test_names_are_added_and_replaced() -> None:
    names = LocalNames({"context": b"/a"}, {"base": "oci-layout:///x"})
    names.provide(directories={"context": b"/b", "docs": b"/c"})
    names.provide(images={"other": "docker-archive:/y"})
    assert names.directories == {"context": b"/b", "docs": b"/c"}
    assert names.named == {"base": "oci-layout:///x", "other": "docker-archive:/y"}


def test_a_mapping_that_was_read_never_changes() -> None:
    names = LocalNames({"context": b"/a"})
    before = names.directories
    names.provide(directories={"docs": b"/c"})
    names.withdraw("context")
    assert before == {"context": b"/a"}
    assert names.directories == {"docs": b"/c"}


def test_only_names_that_are_there_are_withdrawn() -> None:
    names = LocalNames()
    with pytest.raises(KeyError):
        names.withdraw("context")


@pytest.mark.parametrize("attribute", ["directories", "named", "uploads"])
def test_mappings_of_a_client_are_read_only(attribute: str) -> None:
    mapping = getattr(LocalClient(directories={"context": b"/a"}), attribute)
    with pytest.raises(TypeError):
        mapping["other"] = b"/b"


def test_a_client_sends_the_files_it_provides(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("upload") / "archive.tar"
    path.write_bytes(b"bytes")
    client = LocalClient()
    client.provide_upload("context", str(path))
    assert b"".join(client.upload("/context")) == b"bytes"
