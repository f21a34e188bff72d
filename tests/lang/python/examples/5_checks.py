import pybuild as pb

uv = pb.use("uv")
pythons = pb.param("pythons", list[str], default=["3.11", "3.12", "3.13"])
NEWEST = "3.13"

@pb.target(axes={"py": pythons})
def dev(t, py):
    """A checkout with every dev dependency, one per Python."""
    t.from_(f"python:{py}-slim")
    uv.install(t)
    t.workdir("/src")
    t.copy("pyproject.toml", "uv.lock", to="/src/")
    with t.using(pb.cache("/root/.cache/uv")):
        t.run("uv sync --frozen --no-install-project")
    t.copy(".", to="/src", exclude=["docs", "*.md"])

@pb.test
def lint(t):
    """Style and types, on the newest Python only."""
    t.from_(dev(py=NEWEST))
    t.run("uv run ruff check .")
    t.run("uv run mypy src")

@pb.test(axes={"py": pythons})
def unit(t, py):
    """Unit tests on every Python, with a JUnit report even when they fail."""
    t.from_(dev(py=py))
    with t.using(pb.network("none"), pb.tmpfs("/tmp", size=256 * pb.MiB)):
        t.run("uv run --offline pytest -q --junitxml=/report.xml")
    t.output("/report.xml", to=f"reports/unit-{py}.xml", always=True)

@pb.target
def docs(t):
    """The HTML docs, in ./site."""
    t.from_(dev(py=NEWEST))
    t.copy("docs", "mkdocs.yml", to="/src/")
    t.write(f"# Build\nVersion {pb.vcs.commit}, Python {NEWEST}.\n", to="/src/docs/build.md")
    t.run("uv run mkdocs build --strict --site-dir /site")
    t.output("/site", to="site")

pb.default(pb.group("ci", [lint, unit, docs]))
