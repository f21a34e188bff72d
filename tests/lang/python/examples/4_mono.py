import pybuild as pb

node = pb.use("./lib/node_service.pybuild")      # a textual module, used from Python
services = pb.param("services", list[str], default=["api", "worker", "billing"])
registry = pb.param("registry", str, default="ghcr.io/acme")
version = pb.param("version", str, default="dev")
pb.check(len(services) > 0, "pass at least one service")
PORTS = {"api": 8080, "worker": 9090}

def names(service: str) -> list[str]:            # a value `def` is a plain function
    base = f"{registry}/{service}"
    return [f"{base}:{version}", f"{base}:latest"] if version != "dev" else [f"{base}:dev"]

@pb.target(axes={"name": services}, on=["linux/amd64", "linux/arm64"])
def image(t, name):
    t.from_(node.service(pb.context, name))
    if name in PORTS:
        t.expose(PORTS[name])
    t.label({"org.opencontainers.image.title": name})
    t.needs(unit(name=name))
    t.tag(names(name))

@pb.test(axes={"name": services, "db": ["sqlite", "postgres"]},
         where=lambda name, db: not (name == "worker" and db == "postgres"))
def unit(t, name, db):
    t.from_(node.service(pb.context, name))
    t.env(DATABASE=db)
    t.run("npm test")

pb.default(pb.group("all", [unit, image]))
