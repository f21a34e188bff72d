"""Flags of `pybuild build`: what each becomes, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import DIGEST

from pybuild.request.flags import FLAGS, REFUSED, SWITCH

GOOD: list[tuple[list[str], dict[str, Any]]] = [
    ([], {"context": ".", "file": None, "progress": "auto"}),
    (["-f", "sub/Dockerfile"], {"file": "sub/Dockerfile"}),
    (["-t", "a", "--tag", "b:1"], {"tags": ("a", "b:1")}),
    (["--target=final"], {"target": "final"}),
    (["--build-arg", "A=1=2", "--build-arg", "B"], {"build_args": (("A", "1=2"), ("B", None))}),
    (["--build-arg", "A=1", "--build-arg", "A=2"], {"build_args": (("A", "2"),)}),
    (["--build-context", "base=host:sh,cat"], {"build_contexts": (("base", "host:sh,cat"),)}),
    (["--label", "a=b=c", "--label", "d"], {"labels": (("a", "b=c"), ("d", ""))}),
    (["--annotation", "index:a=b"], {"annotations": ("index:a=b",)}),
    (["--platform", "linux/amd64, linux/arm64", "--platform", "linux/386"],
     {"platforms": ("linux/amd64", "linux/arm64", "linux/386")}),
    (["-o", "out", "--output=type=oci,dest=x.tar"], {"outputs": ("out", "type=oci,dest=x.tar")}),
    (["--push", "--load", "--no-cache", "--pull"],
     {"push": True, "load": True, "no_cache": True, "pull": True}),
    (["--push=true", "--load=false", "--no-cache=1"], {"push": True, "load": False, "no_cache": True}),
    (["--no-cache-filter", "a,b", "--no-cache-filter=c"], {"no_cache_filter": ("a", "b", "c")}),
    (["--network=none"], {"network": "none"}),
    (["--allow", "network.host,security.insecure"], {"allow": ("network.host", "security.insecure")}),
    (["--allow=device", "--allow", "device=v.io/c=x,alias=w.io/c=y"],
     {"allow": ("device", "device=v.io/c=x,alias=w.io/c=y")}),
    (["--secret", "id=a,src=/etc/passwd", "--secret=id=b,env=B"],
     {"secrets": ("id=a,src=/etc/passwd", "id=b,env=B")}),
    (["--add-host", "a:10.0.0.1", "--add-host", "b=::1", "--add-host", "c:[fe80::1]"],
     {"add_hosts": (("a", "10.0.0.1"), ("b", "::1"), ("c", "fe80::1"))}),
    (["--ulimit", "nofile=1024:2048", "--ulimit", "core=0", "--ulimit", "memlock=-1"],
     {"ulimits": (("nofile", 1024, 2048), ("core", 0, 0), ("memlock", -1, -1))}),
    (["--shm-size", "64m"], {"shm_size": 64 << 20}),
    (["--shm-size", "1.5GiB"], {"shm_size": 3 << 29}),
    (["--cgroup-parent", "builds"], {"cgroup_parent": "builds"}),
    (["--max-parallelism", "3"], {"parallelism": 3}),
    (["--provenance=false", "--sbom=false", "--attest", "type=provenance,disabled=true"], {"context": "."}),
    (["--check=false"], {"context": "."}),
    (["-"], {"context": "-"}),
    (["-f", "-", "."], {"context": ".", "file": "-"}),
    (["web"], {"context": ".", "target": "web"}),
    (["./web"], {"context": "./web", "target": None}),
    (["--", "-"], {"context": "-"}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "fields"), GOOD, ids=lambda value: " ".join(map(str, value)))
def test_flags_become_fields(
    arguments: list[str], fields: dict[str, Any], recorder: Any, pybuild: Any
) -> None:
    code, out, err = pybuild("build", *arguments)
    assert (code, out) == (0, ""), err
    assert {name: getattr(recorder.request, name) for name in fields} == fields


BAD = [
    (["--build-arg", "=x"], "has no name"),
    (["--build-context", "base"], "invalid build context 'base'"),
    (["--label", "=x"], "has no name"),
    (["--annotation", "x"], "invalid annotation 'x'"),
    (["--network=bridge"], "unknown network mode 'bridge'"),
    (["--allow", "network.hots"], "did you mean network.host?"),
    (["--allow", "devise"], "did you mean device?"),
    (["--allow", "device=v.io/c=x,as=y"], "unknown device config key 'as'"),
    (["--allow", "device=v.io/c=x,y"], "invalid device config 'y'"),
    (["--allow", "device="], "the device has no name"),
    (["--secret", "token"], "must be a key=value pair"),
    (["--secret", "src=/etc/hostname"], "secret missing ID"),
    (["--secret", "id=a,src=no/such"], "failed to stat no/such"),
    (["--ssh", "default=no/such"], "no/such: no such file"),
    (["--ssh", "a=/etc/passwd"], "failed to parse /etc/passwd: ssh: no key found"),
    (["--add-host", "a"], "invalid host entry 'a'"),
    (["--add-host", "a:1.2.3"], "invalid host entry"),
    (["--add-host", "a:host-gateway"], "host-gateway is not supported"),
    (["--ulimit", "nofle=1"], "did you mean nofile?"),
    (["--ulimit", "nofile=2:1"], "above the hard one"),
    (["--ulimit", "nofile=-1:5"], "above the hard one"),
    (["--ulimit", "nofile=x"], "invalid ulimit"),
    (["--ulimit", "nofile=-2"], "is negative"),
    (["--shm-size", "many"], "invalid size"),
    (["--max-parallelism", "0"], "invalid number"),
    (["--provenance=true"], "attestations (provenance) are not supported"),
    (["--provenance", "mode=max"], "attestations (provenance) are not supported"),
    (["--sbom=true"], "attestations (sbom) are not supported"),
    (["--attest", "type=sbom"], "attestations (sbom) are not supported"),
    (["--progress=plan"], "did you mean plain?"),
    (["--progress=tty"], "needs standard error to be a terminal"),
    (["--push=maybe"], "invalid value 'maybe' of --push"),
    (["--targt", "x"], "did you mean --target?"),
    (["--tag"], "requires an argument"),
    (["./a", "./b"], "one context"),
    (["a", "./b"], "--target a ./b"),
    (["-p", "x"], "write -p NAME=VALUE"),
    (["--target", "a", "b"], "two targets"),
    (["--iidfile", "no/such/file"], "there is no directory"),
    (["--metadata-file", "."], "is a directory"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda value: str(value))
def test_bad_values_are_usage_errors(arguments: list[str], words: str, recorder: Any, pybuild: Any) -> None:
    code, out, err = pybuild("build", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.startswith("error: ")
    assert not recorder.requests


@pytest.mark.parametrize("flag", REFUSED, ids=lambda flag: flag.long)
def test_flags_of_other_versions_are_refused_by_name(flag: Any, recorder: Any, pybuild: Any) -> None:
    value = [] if flag.kind == SWITCH else ["x"]
    spellings = [] if flag.long == "param" else [[flag.spelling, *value]]
    if value and flag.long != "param":
        spellings.append([f"{flag.spelling}=x"])
    if flag.short:
        spellings.append([f"-{flag.short}", *value])
    for words in spellings:
        code, _, err = pybuild("build", *words, ".")
        assert code == 2
        name = "-p" if flag.long == "param" else flag.spelling
        assert f"error: {name} is not supported by this version of pybuild" in err
    assert not recorder.requests


def test_a_flag_is_accepted_or_refused_but_not_both() -> None:
    accepted = {flag.long for flag in FLAGS}
    refused = {flag.long for flag in REFUSED}
    assert not accepted & refused
    shorts = [flag.short for flag in (*FLAGS, *REFUSED) if flag.short]
    assert len(shorts) == len(set(shorts))


def test_a_directory_of_that_name_is_the_context(place: Path, recorder: Any, pybuild: Any) -> None:
    (place / "web").mkdir()
    assert pybuild("build", "web")[0] == 0
    assert (recorder.request.context, recorder.request.target) == ("web", None)


def test_progress_of_the_environment(recorder: Any, pybuild: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDKIT_PROGRESS", "plain")
    pybuild("build")
    pybuild("build", "--progress=rawjson")
    assert [one.progress for one in recorder.requests] == ["plain", "rawjson"]
    monkeypatch.setenv("BUILDKIT_PROGRESS", "fancy")
    assert "BUILDKIT_PROGRESS: unknown kind" in pybuild("build")[2]


def test_digest_goes_to_standard_output_only_when_quiet(recorder: Any, pybuild: Any) -> None:
    code, out, err = pybuild("build")
    assert (code, out) == (0, "")
    assert f"image {DIGEST}\n" in err
    assert pybuild("build", "-q") == (0, DIGEST + "\n", "")
    assert pybuild("build", "--progress=quiet") == (0, DIGEST + "\n", "")


def test_digest_stays_away_from_an_archive_on_standard_output(recorder: Any, pybuild: Any) -> None:
    assert pybuild("build", "-q", "-o", "-")[1] == ""
    assert pybuild("build", "-q", "-o", "type=oci")[1] == ""
    assert pybuild("build", "-q", "-o", "type=oci,dest=x")[1] == DIGEST + "\n"


def test_result_files(place: Path, recorder: Any, pybuild: Any) -> None:
    (place / "link").symlink_to("iid")
    assert pybuild("build", "--iidfile", "iid", "--metadata-file", "meta.json")[0] == 0
    assert (place / "iid").read_text() == DIGEST
    assert (place / "meta.json").read_text(encoding="utf-8") == '{\n  "a": "é",\n  "b": 1\n}\n'
    assert pybuild("build", "--metadata-file", "link")[0] == 0
    assert (place / "link").is_symlink()
    assert sorted(one.name for one in place.iterdir()) == ["iid", "link", "meta.json"]


def test_a_failed_build_leaves_no_stale_digest(place: Path, recorder: Any, pybuild: Any) -> None:
    from pybuild.lang.diagnostics import UserError

    (place / "iid").write_text("sha256:old")
    (place / "meta").write_text("{}")

    def fail() -> None:
        raise UserError("the step failed")

    recorder.act = fail
    code, _, err = pybuild("build", "--iidfile", "iid", "--metadata-file", "meta")
    assert (code, err) == (1, "error: the step failed\n")
    assert not (place / "iid").exists()
    assert (place / "meta").read_text() == "{}"
