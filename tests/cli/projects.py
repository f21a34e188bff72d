"""Projects as `pybuild init` finds them: their files, and images that stand in for those of the starters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

IMAGES = [
    "library/alpine:3.22",
    "library/nginx:1.28-alpine",
    "library/python:3.13-slim",
    "library/python:3.12-slim",
    "astral-sh/uv:0.5",
    "library/node:22-slim",
    "library/node:20-slim",
    "library/golang:1.23",
    "library/rust:1-slim-bookworm",
    "library/debian:bookworm-slim",
    "distroless/static:nonroot",
]
"""What the starters start from; a registry of the test's own has them."""


@frozen
class Layout:
    """`calls` are the programs that a build and then its tests run, as they are called."""

    files: Mapping[str, str]
    title: str
    tag: str
    command: list[str]
    calls: list[str]
    tests: list[str]


PYPROJECT = """[project]
name = "My.Web"
version = "1"

[project.scripts]
web = "web:main"

[dependency-groups]
dev = ["pytest"]
"""
PACKAGE = """{
  "name": "@acme/api", "main": "lib/main.js",
  "scripts": {"start": "node .", "build": "tsc", "test": "vitest"}
}"""

LAYOUTS = {
    "hello": Layout(
        {}, "a greeting, as no kind of project was recognised", "hello", ["cat", "/greeting"], [], []
    ),
    "static": Layout(
        {"index.html": "<p>", "css/main.css": "p{}"}, "for a site of files", "static", [], [], []
    ),
    "uv": Layout(
        {
            "pyproject.toml": PYPROJECT,
            "uv.lock": "version = 1\n",
            ".python-version": "3.12.4\n",
            "tests/a": "",
        },
        "for a Python project that uv locks",
        "my-web",
        ["web"],
        ["uv sync --frozen --no-dev --no-install-workspace", "uv sync --frozen --no-dev"],
        ["uv sync --frozen --dev", "pytest"],
    ),
    "requirements": Layout(
        {"requirements.txt": "", "main.py": "", "tests/test_a.py": ""},
        "for a Python project with requirements.txt",
        "requirements",
        ["python", "main.py"],
        ["python3 -m pip install --requirement=requirements.txt"],
        ["python3 -m pip install pytest", "python -m pytest"],
    ),
    "setuptools": Layout(
        {"requirements.txt": "", "setup.py": ""},
        "for a Python project with requirements.txt",
        "setuptools",
        ["python", "-m", "setuptools"],
        ["python3 -m pip install --requirement=requirements.txt", "python3 -m pip install --no-deps ."],
        [],
    ),
    "pyproject": Layout(
        {"pyproject.toml": '[project]\nname = "some-thing"\n'},
        "for a Python project without a lock file",
        "some-thing",
        ["python", "-m", "some_thing"],
        ["python3 -m pip install ."],
        [],
    ),
    "npm": Layout(
        {"package.json": PACKAGE, "package-lock.json": "{}", ".nvmrc": "v20.11\n"},
        "for a Node.js project that npm locks",
        "api",
        ["npm", "start"],
        ["npm ci --no-audit --no-fund", "npm run build", "npm ci --no-audit --no-fund --omit=dev"],
        ["npm test"],
    ),
    "shrinkwrap": Layout(
        {"package.json": '{"main": "lib/main.js"}', "npm-shrinkwrap.json": "{}"},
        "for a Node.js project that npm locks",
        "shrinkwrap",
        ["node", "lib/main.js"],
        ["npm ci --no-audit --no-fund", "npm ci --no-audit --no-fund --omit=dev"],
        [],
    ),
    "pnpm": Layout(
        {
            "package.json": '{"packageManager": "pnpm@9.12.0+sha512.aa", "scripts": {"test": "x", "build": "y"}}',
            "pnpm-lock.yaml": "",
        },
        "for a Node.js project that pnpm locks",
        "pnpm",
        ["node", "index.js"],
        [
            "npm install --global --no-audit --no-fund pnpm@9.12.0",
            "pnpm fetch --store-dir=/var/cache/pnpm/store",
            "pnpm install --frozen-lockfile --store-dir=/var/cache/pnpm/store --offline",
            "pnpm run build",
            "pnpm install --frozen-lockfile --store-dir=/var/cache/pnpm/store --prod --offline",
        ],
        ["pnpm test"],
    ),
    "go": Layout(
        {"go.mod": "module example.com/acme/tool/v2\n\ngo 1.23.4\n", "go.sum": "", "cmd/tool/main.go": ""},
        "for a Go module",
        "tool",
        ["/usr/bin/tool"],
        ["go mod download", "go build -trimpath -buildvcs=false '-ldflags=-s -w' -o /out/tool ./cmd/tool"],
        ["go test ./..."],
    ),
    "rust": Layout(
        {"Cargo.toml": '[package]\nname = "some_tool"\n', "Cargo.lock": "", "src/main.rs": ""},
        "for a Rust package",
        "some-tool",
        ["/usr/local/bin/some_tool"],
        ["cargo build --locked --profile=release --bin=some_tool"],
        ["cargo test --locked"],
    ),
}


def make(layout: Layout, directory: Path) -> Path:
    directory.mkdir(parents=True)
    for name, text in layout.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory
