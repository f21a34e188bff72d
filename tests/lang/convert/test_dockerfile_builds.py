"""Dockerfiles and what they are converted to, built: file trees and image configs are the same."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from tests.lang.convert.comparing import Comparison

pytestmark = [pytest.mark.root, pytest.mark.crun]

CASES: dict[str, str] = {
    "config": """
        FROM base
        ENV A=1 B="two words" C='$A' my-var=x
        ENV PATH=/opt/bin:$PATH A=$A:more
        LABEL a=$A "b c"="${B}" price='$5'
        WORKDIR /srv
        WORKDIR sub/$A
        EXPOSE 80 53/udp 9000-9002
        VOLUME /data "/other"
        STOPSIGNAL SIGINT
        HEALTHCHECK --interval=90s --retries=2 CMD ["true", "$A"]
        SHELL ["/bin/ash", "-e", "-c"]
        ENTRYPOINT exec run "$A"
        CMD ["a", "${b}"]
        USER user:staff
        """,
    "arguments": """
        ARG BASE=one
        ARG VERSION=1.0
        FROM base AS one
        ARG VERSION
        ARG SUFFIX
        ARG NAME=app-${VERSION}${SUFFIX:+-$SUFFIX}
        ENV NAME=$NAME MAJOR=${VERSION%.0} OTHER=${SUFFIX:-none}
        RUN env | grep -v -e HOSTNAME -e SHLVL | sort > /env
        FROM ${BASE}
        ARG VERSION=2.0 TARGETARCH
        LABEL version=$VERSION arch=$TARGETARCH
        RUN echo "$VERSION $NAME ${SUFFIX-unset}" > /shown; false; true
        """,
    "copies": """
        FROM base
        WORKDIR /app
        COPY src package.json ./
        COPY src/ /a/
        COPY src /b
        COPY *.json /c/
        COPY src/* /d/
        COPY s*/sub /e/
        COPY link /f/
        COPY link /g
        COPY --chown=user:50 --chmod=640 package.json /h/renamed
        COPY --chmod=u+x,g-r a.json b.json /i/
        COPY --exclude=*.txt src /j/
        COPY --link src/a.txt /k/
        """,
    "parents": """
        FROM base AS stage
        COPY src /in/src/
        FROM base
        COPY --parents src/sub/b.txt src/*/b.txt /a/
        COPY --parents ./src/./sub/*.txt /b/
        COPY --parents --exclude=src/sub/b* src /c/
        COPY --parents src/./sub/ /d/
        COPY --parents src/./sub ./src/./a.txt /e
        COPY --parents ./src/./sub/b.txt src/sub/ /f/
        COPY --parents --chown=3:4 /./src/sub/./ src/./././sub/b.txt /g/
        COPY --parents --exclude=sub/b.txt src/./sub /h/
        COPY --parents --exclude=**/b.txt --chmod=700 ./src/./*/ /i/
        COPY --parents s[r]c/./sub/ sr*/sub/./b.txt /j/
        COPY --parents --from=stage /in/./src/sub/ in/src/./a.txt /k/
        COPY --parents --from=stage --exclude=b* --link in/src/./sub/ /in/./src/a.txt /l/
        COPY --parents --from=stage in/src/./sub/b* /in/src/sub/ /m/
        """,
    "stages": """
        FROM base AS build
        USER user
        RUN mkdir /tmp/out && echo x > /tmp/out/file && chmod 4750 /tmp/out/file && ln -s file /tmp/out/link
        FROM scratch AS files
        COPY <<EOF /one
        1
        EOF
        FROM base
        COPY --from=build /tmp/out /a/
        COPY --from=build /tmp/out/file /tmp/out/link /b/
        COPY --from=build /tmp/out/link /c
        COPY --from=build --chown=7:8 /tmp/out/fi* /d/
        COPY --from=1 / /e/
        """,
    "heredocs": """
        FROM base
        ARG WHO=world
        WORKDIR /app
        COPY <<EOF <<"RAW" /etc/conf/
        hello $WHO
          indented ${WHO:-x} \\$5
        EOF
        $WHO ${{ raw }}
        RAW
        COPY --chmod=755 <<EOF script
        #!/bin/sh
        EOF
        COPY --link --chown=5:6 <<EOF /linked/
        x
        EOF
        RUN <<EOF
        echo "one $WHO" > /one
        false
        cat > /two <<INNER
        two
        INNER
        EOF
        RUN cat <<A > /three && cat <<B > /four
        3
        A
        4
        B
        RUN <<EOF
        #!/bin/busybox sh
        echo five > /five
        EOF
        """,
    "scripts": """
        FROM base
        RUN false; echo 'a ${{ b }}' > /one
        RUN echo "x\\
        y" && \\
            # a comment
            echo 'p    q' > /two && \\
            printf '%s' "it's  \\$HOME" \\
              >> /two
        RUN ["/bin/sh", "-c", "echo \\"$0\\" > /three", "$x"]
        SHELL ["/bin/sh", "-o", "pipefail", "-c"]
        RUN true | cat > /four
        RUN --network=none cd /tmp && pwd > /five
        """,
    "mounts": """
        FROM base AS other
        RUN mkdir -p /x/y && echo other > /x/y/z
        FROM base
        WORKDIR /w
        ARG CACHE=1
        RUN --mount=type=bind,target=in,source=src,rw --mount=type=tmpfs,target=/t,size=1m \\
            --mount=from=other,source=/x,target=/o echo new > in/new && cat /o/y/z in/a.txt > /one && ls /t > /two
        USER user
        RUN --mount=type=cache,target=/c,uid=1000,mode=0700 --mount=type=cache,id=d-$CACHE,target=/d,sharing=locked \\
            stat -c '%u %a' /c /d > /tmp/three
        RUN --mount=type=secret,id=none --mount=type=secret,id=two,env=TWO --mount=type=ssh test -z "$TWO"
        """,
    "adding": """
        FROM base
        ADD pack.tar.gz /a/
        ADD --unpack=false pack.tar.gz /b/
        ADD --chown=5 pack.* /c/
        ADD src package.json /d/
        ADD package.json link /e
        ADD src/./sub/ src/sub/b.txt/. /f/
        ADD [ps]* /g/
        ADD . /all
        """,
    "triggers": """
        FROM base AS parent
        ONBUILD ENV A=1
        ONBUILD RUN echo $A > /trigger
        FROM parent AS child
        ENV B=$A
        FROM child
        """,
    "metadata": """
        FROM base AS parent
        CMD ["parent"]
        FROM parent AS child
        ENTRYPOINT ["/child"]
        HEALTHCHECK NONE
        FROM child
        CMD ["own"]
        ENTRYPOINT []
        ENV EMPTY= QUOTE='"' BACK=\\\\ TAB="a\tb"
        """,
    "scratch": """
        FROM scratch
        COPY --chown=3 src/a.txt /
        WORKDIR /made/here
        LABEL done=
        """,
}
ARGS = {"arguments": [["VERSION=3.0", "SUFFIX=rc"], ["NAME=it's $5"]]}
"""Build arguments of further builds."""


def _archive() -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo("d/f")
        member.size, member.uid, member.gid, member.mode = 2, 5, 6, 0o640
        archive.addfile(member, BytesIO(b"f\n"))
    return out.getvalue()


def _context(directory: Path, dockerfile: str) -> Path:
    files = {
        "src/a.txt": "a\n",
        "src/sub/b.txt": "b\n",
        "src/c.md": "c\n",
        "package.json": "{}\n",
        "a.json": "1",
        "b.json": "2",
    }
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (directory / "src/sub").chmod(0o710)
    (directory / "link").symlink_to("src/a.txt")
    (directory / "pack.tar.gz").write_bytes(_archive())
    (directory / "Dockerfile").write_text(
        "\n".join(line.removeprefix(" " * 8) for line in dockerfile.split("\n"))
    )
    return directory


@pytest.mark.parametrize("name", CASES)
def test_builds_agree(name: str, tmp_path: Path, layout: Path, store: Path) -> None:
    directory = _context(tmp_path / "context", CASES[name])
    comparison = Comparison(directory, layout, store)
    for args in [[], *ARGS.get(name, [])]:
        assert comparison.differences(args) == []
