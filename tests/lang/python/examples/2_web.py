import pybuild as pb

uv = pb.use("uv")
python = pb.param("python", str, default="3.12", choices=["3.11", "3.12", "3.13"])
version = pb.param("version", str, default="dev")
pb.ignore(".venv", "**/__pycache__")

@pb.target
def deps(t):
    """Locked dependencies; rebuilt only when pyproject.toml or uv.lock change."""
    t.from_(f"python:{python}-slim")
    uv.install(t)
    t.workdir("/app")
    t.copy("pyproject.toml", "uv.lock", to="/app/")
    with t.using(pb.cache("/root/.cache/uv")):
        t.run("uv sync --frozen --no-dev --no-install-project")

@pb.target(default=True)
def web(t):
    """The service image."""
    t.from_(deps)
    t.copy("README.md", "src", to="/app/")
    with t.using(pb.cache("/root/.cache/uv")):
        t.run("""
            uv sync --frozen --no-dev
            python -m compileall -q src
        """)
    t.env(PATH="/app/.venv/bin:$PATH", PYTHONUNBUFFERED="1")
    t.run("useradd --system --uid 10001 app")
    t.user("app")
    t.expose(8000)
    t.healthcheck(["python", "-m", "web.ping"], interval="30s", timeout="3s")
    t.entrypoint(["uvicorn", "web.main:app", "--host", "0.0.0.0", "--port", "8000"])
    t.tag(f"ghcr.io/acme/web:{version}")
