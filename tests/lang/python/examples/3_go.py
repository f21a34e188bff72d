import pybuild as pb

go = pb.param("go", str, default="1.23")
version = pb.param("version", str, default=pb.vcs.describe)
PLATFORMS = ["linux/amd64", "linux/arm64"]

@pb.target
def build(t):
    """Cross-compiles on the builder's own CPU; no emulation."""
    t.from_(f"golang:{go}-alpine", on=t.build_platform)
    t.workdir("/src")
    t.env(CGO_ENABLED="0", GOOS=t.platform.os, GOARCH=t.platform.arch)
    with t.using(pb.bind(pb.context, at="/src"), pb.cache("/go/pkg/mod"),
                 pb.cache("/root/.cache/go-build")):
        t.run('go build -trimpath -ldflags "-s -X main.version=${{v}}" -o /out/app ./cmd/app',
              v=version)

@pb.target(default=True, on=PLATFORMS)
def image(t):
    """One multi-platform image index."""
    t.from_("gcr.io/distroless/static:nonroot")
    t.copy("/out/app", from_=build, to="/app")
    t.entrypoint(["/app"])
    t.label({"org.opencontainers.image.version": version})
    t.tag(f"ghcr.io/acme/app:{version}")

@pb.target(axes={"p": PLATFORMS + ["darwin/arm64"]})
def binaries(t, p):
    """Plain binaries in ./dist, one per platform."""
    t.from_(pb.scratch)
    t.copy("/out/app", from_=build(platform=p), to="/app")
    t.output("/app", to=f"dist/app-{p.replace('/', '-')}")
