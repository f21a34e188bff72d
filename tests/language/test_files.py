"""Statements that put files into a state: what is in the layer that they make."""

from __future__ import annotations

import io
import os
import tarfile

import pytest
from tests.language.project import Image, Project

pytestmark = [pytest.mark.root, pytest.mark.crun]

TREE = {
    "src/a.py": "a",
    "src/deep/b.py": "b",
    "src/deep/c.txt": "c",
    "src/.hidden": "h",
    "package.json": "root",
    "libs/x/package.json": "x",
    "libs/y/package.json": "y",
    "libs/y/other": "o",
}


def copied(project: Project, statements: str, target: str = "a") -> Image:
    """The image of a target of these statements on the empty file system."""
    body = "".join(f"    {line}\n" for line in statements.strip().split("\n"))
    project.write(f"default a\ntarget a:\n    from scratch\n{body}", {})
    return project.image(target)


@pytest.mark.parametrize(
    ("statement", "files"),
    [
        # the table in the language spec, section 12
        ('copy "src" to "/app"', ["app/.hidden", "app/a.py", "app/deep/b.py", "app/deep/c.txt"]),
        ('copy "src/" to "/app/"', ["app/.hidden", "app/a.py", "app/deep/b.py", "app/deep/c.txt"]),
        ('copy "src/" to "/app"', ["app/.hidden", "app/a.py", "app/deep/b.py", "app/deep/c.txt"]),
        ('copy "src" to "/app/"', ["app/src/.hidden", "app/src/a.py", "app/src/deep/b.py", "app/src/deep/c.txt"]),
        ('copy "." to "/app", exclude=["src", "build.pybuild"]',
         ["app/libs/x/package.json", "app/libs/y/other", "app/libs/y/package.json", "app/package.json"]),
        ('copy "libs/*/package.json" to "/app/"', ["app/x/package.json", "app/y/package.json"]),
        ('copy "*/*/package.json" to "/app/"', ["app/libs/x/package.json", "app/libs/y/package.json"]),
        # names
        ('copy "package.json" to "/app"', ["app"]),
        ('copy "package.json" to "/app/"', ["app/package.json"]),
        ('copy "package.json" to "/deep/er/name"', ["deep/er/name"]),
        ('copy "package.json", "src/a.py" to "/app/"', ["app/a.py", "app/package.json"]),
        ('copy "src/**/*.py" to "/app/"', ["app/a.py", "app/deep/b.py"]),
        ('copy "src/*" to "/app/"', ["app/.hidden", "app/a.py", "app/deep/b.py", "app/deep/c.txt"]),
        ('copy "**/package.json" to "/app/"',
         ["app/libs/x/package.json", "app/libs/y/package.json", "app/package.json"]),
        # options
        ('copy "src/deep/b.py" to "/app/", parents=true', ["app/src/deep/b.py"]),
        ('copy "libs/*/package.json" to "/app/", parents=true',
         ["app/libs/x/package.json", "app/libs/y/package.json"]),
        ('copy "src" to "/app/", parents=true',
         ["app/src/.hidden", "app/src/a.py", "app/src/deep/b.py", "app/src/deep/c.txt"]),
        ('copy "src" to "/app", exclude=["*.py", "deep/c.txt"]', ["app/.hidden", "app/deep/b.py"]),
        ('copy "src" to "/app", exclude=["**/*.py", ".hidden"]', ["app/deep/c.txt"]),
        ('copy "nothing", "package.json" to "/app/", optional=true', ["app/package.json"]),
        ('copy "nothing/*.x" to "/app/", optional=true', []),
        ('copy "src/a.py" to "relative"', ["relative"]),
        ('workdir "/w"\ncopy "src/a.py" to "relative"', ["w/relative"]),
        ('workdir "/w"\ncopy "src/a.py" to "./"', ["w/a.py"]),
        ('workdir "/w"\nworkdir "x"\ncopy "src/a.py" to "../up"', ["w/up"]),
        ('copy "src" to "/app", link=true', ["app/.hidden", "app/a.py", "app/deep/b.py", "app/deep/c.txt"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("source", ["context", "target"])
def test_what_copy_copies(project: Project, statement: str, files: list[str], source: str) -> None:
    """From the context and from a target, where nobody can look before."""
    project.put(TREE)
    if source == "target":
        statement = "\n".join(
            line.replace(" to ", " from source to ", 1) if line.startswith("copy") else line
            for line in statement.split("\n")
        )
    body = "".join(f"    {line}\n" for line in statement.split("\n"))
    project.write(
        f"""
default a
target source:
    from scratch
    copy "." to "/", exclude=["build.pybuild"]
target a:
    from scratch
{body}"""
    )
    assert project.image().below("/") == files


@pytest.mark.parametrize(
    ("statement", "code", "place"),
    [
        ('copy "pakage.json" to "/"', "E0510", "5:10"),
        ('copy "*.none" to "/"', "E0510", "5:10"),
        ('copy "../up" to "/"', "E0513", "5:10"),
        ('copy "src", "libs" to "/app"', "E0512", ""),
        ('copy "ignored" to "/"', "E0511", "5:10"),
        ('copy "a.txt" from source to "/"', "R0002", "5:5"),
        ('copy "*.txt" from source to "/"', "R0002", "5:5"),
        ('copy "d" from source to "/", owner="nobody:nogroup"', "E0515", ""),
    ],
)
def test_what_cannot_be_copied(project: Project, statement: str, code: str, place: str) -> None:
    source = 'target source:\n    from scratch\n    mkdir "/d"\n'
    text = f'# syntax=pybuild:1\nignore "ignored"\ntarget a:\n    from scratch\n    {statement}\n{source}'
    project.put({**TREE, "ignored": "", "build.pybuild": text})
    done = project.build("a", code=None)
    assert done.code in (1, 2)
    assert f"error[{code}]" in done.err
    assert place in done.err


def test_links(project: Project) -> None:
    """Kept as they are, unless `follow=true`, which is for the sources that are named."""
    project.put({"real": "real", "dir/file": "f"})
    (project.directory / "link").symlink_to("real")
    (project.directory / "dirlink").symlink_to("dir")
    image = copied(
        project,
        'copy "link", "dirlink" to "/kept/"\ncopy "link", "dirlink" to "/followed/", follow=true',
    )
    assert {path: (one.kind, one.link) for path, one in image.files.items() if "link" in path} == {
        "/kept/link": ("link", "real"),
        "/kept/dirlink": ("link", "dir"),
        "/followed/link": ("file", ""),
        "/followed/dirlink": ("dir", ""),
        "/followed/dirlink/file": ("file", ""),
    }


def test_archives(project: Project) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as packed:
        packed.addfile(tarfile.TarInfo("inside"), io.BytesIO())
    project.put({"a.tar.xz": out.getvalue(), "b.tar.xz": out.getvalue(), "plain.txt": "p"})
    image = copied(
        project,
        'copy "a.tar.xz" to "/one", unpack=true\ncopy "a.tar.xz" to "/two/", unpack=true\n'
        'copy "a.tar.xz" to "/packed/"\ncopy "*.tar.xz" to "/all/", unpack=true',
    )
    assert image.below("/") == ["all/inside", "one/inside", "packed/a.tar.xz", "two/inside"]


def test_owners_and_modes(project: Project) -> None:
    project.put({"file": "f", "dir/inside": "i"})
    project.write(
        """
target a:
    from BASE
    copy "file" to "/1", owner="user:staff"
    copy "file" to "/2", owner="1000"
    copy "file" to "/3", owner="user"
    copy "dir" to "/4", owner="7:8", mode=0o750
    copy "file" to "/5", mode="u+x,go-r"
    copy "dir" to "/6", mode="a=rX"
    copy "file" to "/7", mode=0o4755
    write "w" to "/8", owner="user", mode=0o600
    write to "/9", mode="a+x":
        block ${{1 + 1}}
          deeper

    mkdir "/10", "/11/deep", owner="user:staff", mode=0o1777
    mkdir "/12"
    symlink "../x" to "/13", owner="7:8"
    user "user"
    copy "file" to "/14"
    workdir "/15/16"
"""
    )
    files = project.image().files
    found = {path: (one.owner, one.mode) for path, one in files.items() if path[1:3].strip("/").isdigit()}
    assert found == {
        "/1": ((1000, 50), 0o644),
        "/2": ((1000, 1000), 0o644),
        "/3": ((1000, 1000), 0o644),
        "/4": ((7, 8), 0o755),
        "/4/inside": ((7, 8), 0o750),
        "/5": ((0, 0), 0o700),
        "/6": ((0, 0), 0o755),
        "/6/inside": ((0, 0), 0o444),
        "/7": ((0, 0), 0o4755),
        "/8": ((1000, 1000), 0o600),
        "/9": ((0, 0), 0o755),
        "/10": ((1000, 50), 0o1777),
        "/11": ((1000, 50), 0o755),
        "/11/deep": ((1000, 50), 0o1777),
        "/12": ((0, 0), 0o755),
        "/13": ((7, 8), 0o777),
        "/14": ((0, 0), 0o644),
        "/15": ((1000, 1000), 0o755),
        "/15/16": ((1000, 1000), 0o755),
    }
    assert files["/9"].data == b"block 2\n  deeper\n"
    assert files["/13"].link == "../x"


def test_remove(project: Project) -> None:
    project.write(
        """
default a
target a:
    from BASE
    write "1" to "/d/1.x"
    write "2" to "/d/2.x"
    write "3" to "/d/3.y"
    remove "/d/*.x", "/nothing*"
    remove "/nothing", optional=true
    run ls /d > /out
    output "/out" to "out"
target b:
    from BASE
    remove "/nothing"
"""
    )
    project.build()
    assert project.text("out") == "3.y\n"
    done = project.build("b", code=1)
    assert "build.pybuild:15:" in done.err


def test_one_layer_a_statement(project: Project) -> None:
    """Config statements make none, but `workdir` where the directory isn't known to be there."""
    project.write(
        """
target a:
    from scratch
    write "1" to "/a/1"
    env X = "x"
    label "l" = "l"
    mkdir "/b", "/c"
    workdir "/a"
    workdir "/new"
    user "1:1"
    cmd ["x"]
"""
    )
    image = project.image()
    assert [sorted(layer) for layer in image.layers] == [["/a", "/a/1"], ["/b", "/c"], ["/new"]]


def test_ignore_files_and_patterns(project: Project) -> None:
    """`ignore` and .dockerignore, the former after the latter."""
    project.put({**TREE, ".dockerignore": "libs\n**/*.txt\n!src/deep/c.txt\n"})
    project.write('ignore "src/a.py", "!libs/x"\ntarget a:\n    from scratch\n    copy "." to "/"\n')
    assert project.image().below("/") == [
        ".dockerignore",
        "build.pybuild",
        "libs/x/package.json",
        "package.json",
        "src/.hidden",
        "src/deep/b.py",
        "src/deep/c.txt",
    ]


def test_only_what_is_named_is_read(project: Project) -> None:
    """A file that can't be read is no matter to who doesn't copy it."""
    project.put({"wanted/file": "f", "other/file": "f"})
    (project.directory / "other" / "file").unlink()
    os.mkfifo(project.directory / "other" / "file")
    project.write('target a:\n    from scratch\n    copy "wanted" to "/"\n    copy "w*/f*" to "/g/"\n')
    assert project.image().below("/") == ["g/wanted/file", "wanted/file"]


def test_reads(project: Project) -> None:
    """`read`, `read_lines`, `read_toml`, `read_json` and `glob`."""
    project.write(
        """
let version = read_toml("pyproject.toml", "project.version")
target a:
    from scratch
    write version + read_json("a.json", "a.b") + read("text") to "/one"
    for name in read_lines("lines"):
        write name to "/lines/${{name}}"
    for path in glob("parts/**/*.x"):
        copy path to "/" + path
    write str(len(glob("*.none"))) + str(30s) + str(64MiB) + str(version("1.2") > version("1.10")) to "/two"
    write ", ".join(sorted(["b", "a"])) + str(int("0") + 7 // 2) to "/three"
""",
        {
            "pyproject.toml": '[project]\nversion = "1.2.3"\n',
            "a.json": '{"a": {"b": "-json-"}}',
            "text": "text",
            "lines": "x\ny\n",
            "parts/1.x": "1",
            "parts/d/2.x": "2",
            "parts/3.y": "3",
        },
    )
    image = project.image()
    assert image.text("/one") == "1.2.3-json-text"
    assert image.below("/lines") == ["x", "y"]
    assert image.below("/parts") == ["1.x", "d/2.x"]
    assert image.text("/two") == "030s64MiBfalse"
    assert image.text("/three") == "a, b3"
