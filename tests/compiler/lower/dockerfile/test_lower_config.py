"""Dockerfile text to image config and history."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compiler.lower.dockerfile.world import PATH, World, config_of, history_of, image_config, lowered

DEFAULTS = {"Env": [PATH], "Cmd": ["sh"]}

CASES: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("nothing", "", DEFAULTS, []),
    ("env", "ENV A=b C='d e'", DEFAULTS | {"Env": [PATH, "A=b", "C=d e"]}, ["ENV A=b C=d e"]),
    ("env legacy", "ENV A b  c", DEFAULTS | {"Env": [PATH, "A=b  c"]}, ["ENV A=b  c"]),
    (
        "env sees what was before it",
        "ENV A=1\nENV A=2 B=$A",
        DEFAULTS | {"Env": [PATH, "A=2", "B=1"]},
        ["ENV A=1", "ENV A=2 B=1"],
    ),
    (
        "env in place",
        "ENV A=1 B=2\nENV A=3",
        DEFAULTS | {"Env": [PATH, "A=3", "B=2"]},
        ["ENV A=1 B=2", "ENV A=3"],
    ),
    (
        "env key expanded",
        "ENV A=X\nENV $A=1",
        DEFAULTS | {"Env": [PATH, "A=X", "X=1"]},
        ["ENV A=X", "ENV X=1"],
    ),
    (
        "path replaced",
        "ENV PATH=/opt:$PATH",
        DEFAULTS | {"Env": ["PATH=/opt:" + PATH[5:]]},
        ["ENV PATH=/opt:" + PATH[5:]],
    ),
    ("arg leaves no trace in env", "ARG A=1", DEFAULTS, ["ARG A=1"]),
    ("arg without value", "ARG A B=2 C", DEFAULTS, ["ARG A B=2 C"]),
    (
        "label",
        'LABEL a=b "c d"="e f"',
        DEFAULTS | {"Labels": {"a": "b", "c d": "e f"}},
        ["LABEL a=b c d=e f"],
    ),
    (
        "label expanded, last wins",
        "ENV V=1\nLABEL k$V=$V k1=2",
        DEFAULTS | {"Env": [PATH, "V=1"], "Labels": {"k1": "2"}},
        ["ENV V=1", "LABEL k1=1 k1=2"],
    ),
    (
        "cmd by the shell",
        "CMD echo  hi",
        DEFAULTS | {"Cmd": ["/bin/sh", "-c", "echo  hi"], "ArgsEscaped": True},
        ['CMD ["/bin/sh" "-c" "echo  hi"]'],
    ),
    (
        "cmd quoted as Go does",
        r'CMD ["a\n\t\"b\"", "é\u0007\u200b\\"]',
        DEFAULTS | {"Cmd": ['a\n\t"b"', "é\a\u200b\\"], "ArgsEscaped": True},
        [r'CMD ["a\n\t\"b\"" "é\a\u200b\\"]'],
    ),
    ("cmd empty", "CMD []", {"Env": [PATH], "ArgsEscaped": True}, ["CMD []"]),
    (
        "entrypoint drops the base's cmd",
        'ENTRYPOINT ["/e"]',
        {"Env": [PATH], "Entrypoint": ["/e"]},
        ['ENTRYPOINT ["/e"]'],
    ),
    (
        "entrypoint keeps the stage's cmd",
        'CMD ["c"]\nENTRYPOINT e',
        DEFAULTS | {"Entrypoint": ["/bin/sh", "-c", "e"], "Cmd": ["c"], "ArgsEscaped": True},
        ['CMD ["c"]', 'ENTRYPOINT ["/bin/sh" "-c" "e"]'],
    ),
    (
        "shell for later commands",
        'SHELL ["/bin/ash", "-ec"]\nCMD x\nRUN y',
        DEFAULTS | {"Cmd": ["/bin/ash", "-ec", "x"], "ArgsEscaped": True, "Shell": ["/bin/ash", "-ec"]},
        ["SHELL [/bin/ash -ec]", 'CMD ["/bin/ash" "-ec" "x"]', "+ RUN /bin/ash -ec y # buildkit"],
    ),
    (
        "healthcheck",
        "HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=100ms --retries=3 CMD a b",
        DEFAULTS
        | {
            "Healthcheck": {
                "Test": ["CMD-SHELL", "a b"],
                "Interval": 90_000_000_000,
                "Timeout": 1_500_000_000,
                "StartPeriod": 100_000_000,
                "Retries": 3,
            }
        },
        [
            "HEALTHCHECK {Test:[CMD-SHELL a b] Interval:1m30s Timeout:1.5s StartPeriod:100ms "
            "StartInterval:0s Retries:3}"
        ],
    ),
    (
        "healthcheck none",
        "HEALTHCHECK NONE",
        DEFAULTS | {"Healthcheck": {"Test": ["NONE"]}},
        ["HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}"],
    ),
    ("user", "ARG U=7\nUSER $U:grp", DEFAULTS | {"User": "7:grp"}, ["ARG U=7", "USER 7:grp"]),
    (
        "expose",
        "ENV P='81 82/UDP'\nEXPOSE 80 $P 90-92/sctp 127.0.0.1:8080:8081 [::1]::83",
        DEFAULTS
        | {
            "Env": [PATH, "P=81 82/UDP"],
            "ExposedPorts": {
                port: {}
                for port in (
                    "80/tcp",
                    "8081/tcp",
                    "81/tcp",
                    "82/udp",
                    "83/tcp",
                    "90/sctp",
                    "91/sctp",
                    "92/sctp",
                )
            },
        },
        [
            "ENV P=81 82/UDP",
            "EXPOSE [81/tcp 82/udp 8081/tcp 80/tcp 90/sctp 91/sctp 92/sctp 83/tcp]",
        ],
    ),
    (
        "volume",
        'ENV D=/d\nVOLUME $D /e\nVOLUME ["/f g"]',
        DEFAULTS | {"Env": [PATH, "D=/d"], "Volumes": {"/d": {}, "/e": {}, "/f g": {}}},
        ["ENV D=/d", "VOLUME [/d /e]", "VOLUME [/f g]"],
    ),
    (
        "stopsignal",
        "STOPSIGNAL sigrtmin+3",
        DEFAULTS | {"StopSignal": "sigrtmin+3"},
        ["STOPSIGNAL sigrtmin+3"],
    ),
    (
        "stopsignal number",
        "ARG S=9\nSTOPSIGNAL $S",
        DEFAULTS | {"StopSignal": "9"},
        ["ARG S=9", "STOPSIGNAL 9"],
    ),
    ("onbuild", "ONBUILD RUN  a  b", DEFAULTS | {"OnBuild": ["RUN  a  b"]}, []),
    (
        "workdir",
        "WORKDIR a\nWORKDIR b/../c",
        DEFAULTS | {"WorkingDir": "/a/c"},
        ["+ WORKDIR /a", "+ WORKDIR /a/c"],
    ),
    (
        "workdir expanded",
        "ENV D=/x\nWORKDIR $D/y",
        DEFAULTS | {"Env": [PATH, "D=/x"], "WorkingDir": "/x/y"},
        ["ENV D=/x", "+ WORKDIR /x/y"],
    ),
    ("workdir at the root makes no layer", "WORKDIR /", DEFAULTS | {"WorkingDir": "/"}, ["WORKDIR /"]),
    ("run", "RUN a $X", DEFAULTS, ["+ RUN /bin/sh -c a $X # buildkit"]),
    ("run exec", 'RUN ["a", "b c"]', DEFAULTS, ["+ RUN a b c # buildkit"]),
    (
        "run names arguments with the values commands see",
        "ARG A=1 B\nENV A=2\nARG C=3\nARG C=4\nRUN x",
        DEFAULTS | {"Env": [PATH, "A=2"]},
        ["ARG A=1 B", "ENV A=2", "ARG C=3", "ARG C=4", "+ RUN |3 A=2 B= C=4 /bin/sh -c x # buildkit"],
    ),
    ("run heredoc", "RUN <<E\na\nb\nE", DEFAULTS, ["+ RUN /bin/sh -c a\nb\n # buildkit"]),
    ("run heredoc chomped", "RUN <<-E\n\ta\n\tE", DEFAULTS, ["+ RUN /bin/sh -c a\n # buildkit"]),
    ("run script", "RUN <<E\n#!/bin/sh\na\nE", DEFAULTS, ["+ RUN /bin/sh -c /dev/pipes/E # buildkit"]),
    (
        "run heredocs for the shell",
        "RUN <<A cat <<-B\n1\nA\n\t2\nB",
        DEFAULTS,
        ["+ RUN /bin/sh -c <<A cat <<-B\n1\nA\n\t2\nB # buildkit"],
    ),
    (
        "copy and add",
        "COPY a b* /d/\nADD --chown=u:g --chmod=u=rwX a ./",
        DEFAULTS,
        ["+ COPY a b* /d/ # buildkit", "+ ADD --chown=u:g --chmod=u=rwX a ./ # buildkit"],
    ),
    (
        "copy expanded",
        'ARG S=a M=644\nCOPY --chmod=$M ["$S", "b c", "/$S/"]\nCOPY <<E <<F /d/\nE\nF',
        DEFAULTS,
        ["ARG S=a M=644", "+ COPY --chmod=644 a b c /a/ # buildkit", "+ COPY <<E <<F /d/ # buildkit"],
    ),
    ("maintainer", "MAINTAINER me <x@y>", DEFAULTS, ["MAINTAINER me <x@y>"]),
]


@pytest.mark.parametrize(
    ("text", "config", "history"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_config_and_history(text: str, config: dict[str, Any], history: list[str]) -> None:
    result = lowered(f"FROM base\n{text}")
    assert config_of(result) == config
    assert history_of(result) == history


SCRATCH = {"Env": [PATH], "WorkingDir": "/"}


def test_scratch() -> None:
    result = lowered("FROM scratch")
    assert result.edge is None
    assert result.image.to_json() == (
        b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":null},'
        b'"config":{"Env":["' + PATH.encode() + b'"],"WorkingDir":"/"}}'
    )


def test_author_and_labels_of_the_build() -> None:
    result = lowered("FROM scratch\nMAINTAINER m\nLABEL a=1 b=2", labels={"b": "3"})
    assert result.image.author == "m"
    assert config_of(result) == SCRATCH | {"Labels": {"a": "1", "b": "3"}}


def test_base_config_is_inherited_and_unknown_fields_are_dropped() -> None:
    base = image_config(
        {
            "User": "u",
            "WorkingDir": "/w",
            "Entrypoint": ["/e"],
            "Labels": {"l": "<1>"},
            "Volumes": {"/v": {}},
            "ExposedPorts": {"1/tcp": {}},
            "StopSignal": "SIGINT",
            "Shell": ["/s"],
            "Hostname": "h",
            "StopTimeout": 3,
        }
    )
    result = lowered("FROM base\nENV A=1", World({"docker.io/library/base:latest": base}))
    assert config_of(result) == {
        "User": "u",
        "ExposedPorts": {"1/tcp": {}},
        "Env": [PATH, "A=1"],
        "Entrypoint": ["/e"],
        "Cmd": ["sh"],
        "Volumes": {"/v": {}},
        "WorkingDir": "/w",
        "Labels": {"l": "<1>"},
        "StopSignal": "SIGINT",
        "Shell": ["/s"],
    }
    assert result.base_config == base
    assert result.image.created is None


def test_a_base_without_path_gets_one() -> None:
    world = World({"docker.io/library/base:latest": image_config({"Env": ["A=1"]})})
    assert config_of(lowered("FROM base", world))["Env"] == ["A=1", PATH]


def test_a_stage_on_a_stage_inherits_config_but_not_triggers() -> None:
    text = """
FROM base AS one
ENV A=1
CMD ["x"]
ONBUILD ENV B=2
LABEL l=1
FROM one
LABEL m=2
"""
    result = lowered(text)
    assert config_of(result) == {
        "Env": [PATH, "A=1", "B=2"],
        "Cmd": ["x"],
        "ArgsEscaped": True,
        "Labels": {"l": "1", "m": "2"},
    }
    assert history_of(result) == ["ENV A=1", 'CMD ["x"]', "LABEL l=1", "ENV B=2", "LABEL m=2"]


def test_sibling_stages_do_not_share_labels() -> None:
    text = "FROM base AS a\nLABEL a=1\nFROM a AS b\nLABEL b=2\nFROM a\nCOPY --from=b /x /x\n"
    assert config_of(lowered(text))["Labels"] == {"a": "1"}


def test_an_entrypoint_of_a_child_stage_drops_the_parents_cmd() -> None:
    text = 'FROM base AS a\nCMD ["x"]\nFROM a\nENTRYPOINT ["e"]'
    assert "Cmd" not in config_of(lowered(text))


def test_epoch_is_the_time_of_every_entry() -> None:
    result = lowered("FROM base\nENV A=1\nRUN x", source_date_epoch=1_700_000_000)
    created = [entry.created for entry in result.image.history]
    assert created == ["2020-01-01T00:00:00Z", "2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z"]
    assert result.epoch == 1_700_000_000
