import pybuild as pb

name = pb.param("name", str, default="world", doc="Who to greet.")

@pb.target(default=True)
def hello(t):
    """The smallest useful image."""
    t.from_("alpine:3.20")
    t.run("echo \"hello ${{name}}\" > /greeting.txt", name=name)
    t.cmd(["cat", "/greeting.txt"])
    t.tag("hello:latest")
