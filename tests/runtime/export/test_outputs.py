"""The grammar of `--output`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.export.output import Output, parse_output, split_csv
from pybuild.runtime.image.annotations import Annotations, parse_flags


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("out", Output("local", "out")),
        ("./a=b", Output("local", "./a=b")),
        ("-", Output("tar", "-")),
        ("type=local,dest=out", Output("local", "out")),
        ("type=oci,dest=x.tar", Output("oci", "x.tar")),
        ("type=oci", Output("oci", "-")),
        ("type=tar", Output("tar", "-")),
        ("type=docker", Output("docker", "")),
        ("dest=x.tar,TYPE=docker", Output("docker", "x.tar")),
        ("type=registry", Output("image", "", {"push": "true"})),
        ("type=registry,push=false", Output("image", "", {"push": "false"})),
        ("type=image,name=a/b:1,push=true", Output("image", "", {"name": "a/b:1", "push": "true"})),
        ('type=image,"name=a,b",push', None),
        ('type=image,"name=a,b"', Output("image", "", {"name": "a,b"})),
        ('type=oci,"dest=a ""quoted"" name"', Output("oci", 'a "quoted" name')),
        ("type=cacheonly", Output("none")),
        ("type=none", Output("none")),
        (
            "type=oci,dest=d,tar=false,compression=zstd,compression-level=9",
            Output("oci", "d", {"tar": "false", "compression": "zstd", "compression-level": "9"}),
        ),
        (
            "type=oci,annotation.a.b=c,annotation-index[linux/amd64].d=e",
            Output("oci", "-", {"annotation.a.b": "c", "annotation-index[linux/amd64].d": "e"}),
        ),
    ],
)
def test_what_is_meant(text: str, wanted: Output | None) -> None:
    if wanted is None:
        with pytest.raises(UsageError):
            parse_output(text)
    else:
        assert parse_output(text) == wanted


@pytest.mark.parametrize(
    ("text", "title", "help"),
    [
        ("", "is empty", "directory"),
        ("type=oic", "unknown output type 'oic'", "did you mean oci?"),
        ("dest=x,a=b", "it has no type", "type=local"),
        ("type=oci,desst=x", "unknown key 'desst' for output type=oci", "did you mean dest?"),
        ("type=local,dest=x,push=true", "unknown key 'push' for output type=local", "dest"),
        ("type=local", "type=local needs a destination", "dest=DIRECTORY"),
        ("type=oci,tar=false", "type=oci needs a destination", "dest=DIRECTORY"),
        ("type=oci,tar=maybe", "tar=maybe is neither true nor false", "true or false"),
        ("type=oci,dest", "'dest' is no KEY=VALUE", "type=TYPE"),
        ('type=oci,"dest=x', "quote is not closed", "close"),
        ('type=oci,de"st=x', "quote in the middle", "double quotes"),
        ("type=oci,compression=estargz", "estargz is not supported", "gzip"),
        ("type=oci,compression=gzi", "unknown compression 'gzi'", "did you mean gzip?"),
        ("type=oci,compression-level=x", "compression-level=x is not a number", "0 to 22"),
        ("type=oci,compression-level=10", "out of range for gzip", "0 to 9"),
        ("type=local,dest=x,mode=delete", "mode=delete", "remove the directory"),
        ("type=docker,context=foo", "'context'", None),
        ("type=image,annotation-foo.a=b", "unknown annotation type 'foo'", "manifest"),
    ],
)
def test_refusals(text: str, title: str, help: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        parse_output(text)
    assert title in str(caught.value)
    notes = dict(caught.value.diagnostic.notes)
    assert help is None or help in notes["help"]


def test_the_epoch_of_an_output() -> None:
    own = parse_output("type=oci,rewrite-timestamp=true,source-date-epoch=7")
    assert own.image_options(epoch=5).epoch == 7
    assert parse_output("type=oci,rewrite-timestamp=true").image_options(epoch=5).epoch == 5
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        parse_output("type=oci,source-date-epoch=soon")


def test_media_types() -> None:
    assert parse_output("type=oci").image_options().oci
    assert not parse_output("type=docker").image_options().oci
    assert not parse_output("type=image,name=a").image_options().oci
    assert parse_output("type=image,oci-mediatypes=true").image_options().oci
    assert parse_output("type=image,annotation-index.a=b").image_options().oci
    assert not parse_output("type=image,annotation.a=b").image_options().oci


def test_destinations_are_checked_early(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a directory"):
        parse_output(f"type=oci,dest={tmp_path}").check()
    with pytest.raises(UsageError, match="is not a directory"):
        parse_output(f"type=local,dest={tmp_path}/file").check()
    with pytest.raises(UsageError, match="is not a directory"):
        parse_output(f"type=oci,tar=false,dest={tmp_path}/file").check()
    parse_output(f"type=oci,dest={tmp_path}/file").check()
    parse_output(f"{tmp_path}").check()


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=6))
def test_csv_reads_what_a_writer_quotes(fields: list[str]) -> None:
    quoted = ",".join('"' + field.replace('"', '""') + '"' for field in fields)
    assert split_csv(quoted) == fields


def test_annotations() -> None:
    amd, arm = (
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64", "variant": "v8"},
    )
    found = parse_flags(
        [
            "a=1",
            "index,manifest:b=2",
            "manifest[linux/arm64/v8]:a=3",
            "manifest-descriptor:c=4",
            "index-descriptor:d=5",
        ]
    )
    assert found.manifest(amd) == {"a": "1", "b": "2"}
    assert found.manifest(arm) == {"a": "3", "b": "2"}
    assert found.descriptor(amd) == {"c": "4"}
    assert found.index() == {"b": "2"}
    assert found.index_descriptor() == {"d": "5"}
    assert found.need_oci
    assert not parse_flags(["a=b"]).need_oci
    assert not Annotations()
    for bad in ("a", "foo:a=b", "manifest[linux:a=b"):
        with pytest.raises(UsageError):
            parse_flags([bad])
