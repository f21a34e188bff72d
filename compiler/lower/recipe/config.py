"""Statements that change the image config and what later commands inherit, but no files."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler import image as images
from pybuild.compiler.frozenmap import frozen_map
from pybuild.compiler.lower.recipe import printing
from pybuild.compiler.lower.recipe.lowering import Lowering
from pybuild.compiler.lower.recipe.made import Made
from pybuild.compiler.lower.recipe.templates import expanded
from pybuild.lang import recipe
from pybuild.lang.recipe import Step


def env(lowering: Lowering, step: Step, statement: recipe.Env, made: Made) -> Made:
    """Every value is expanded with the variables as they were before the statement."""
    pairs = [
        (name, expanded(value, made.environment, step.span, whole=made.whole))
        for name, value in statement.values
    ]
    config, environment = made.config, dict(made.environment)
    for name, value in pairs:
        config = config.with_env(name, value)
        environment.pop(name, None)
        environment[name] = value
    made = made.configured("env " + printing.pairs(pairs, names=True), env=config.env)
    return evolve(made, environment=environment)


def user(lowering: Lowering, step: Step, statement: recipe.User, made: Made) -> Made:
    return made.configured(f"user {printing.literal(statement.name)}", user=statement.name)


def shell(lowering: Lowering, step: Step, statement: recipe.Shell, made: Made) -> Made:
    made = made.configured(f"shell {printing.listed(statement.args)}", shell=statement.args)
    return evolve(made, shell=statement.args)


def label(lowering: Lowering, step: Step, statement: recipe.Labels, made: Made) -> Made:
    values = frozen_map(made.config.labels).updated(dict(statement.values))
    return made.configured("label " + printing.pairs(statement.values), labels=values)


def annotate(lowering: Lowering, step: Step, statement: recipe.Annotations, made: Made) -> Made:
    """They belong to the manifest: the config doesn't know of them."""
    return evolve(made, annotations={**made.annotations, **dict(statement.values)})


def expose(lowering: Lowering, step: Step, statement: recipe.Expose, made: Made) -> Made:
    ports = made.config.exposed_ports | set(statement.ports)
    return made.configured(printing.expose(statement.ports), exposed_ports=ports)


def volume(lowering: Lowering, step: Step, statement: recipe.Volume, made: Made) -> Made:
    volumes = made.config.volumes | set(statement.paths)
    return made.configured(f"volume {printing.texts(statement.paths)}", volumes=volumes)


def stop_signal(lowering: Lowering, step: Step, statement: recipe.StopSignal, made: Made) -> Made:
    return made.configured(f"stop_signal {printing.literal(statement.name)}", stop_signal=statement.name)


def entrypoint(lowering: Lowering, step: Step, statement: recipe.Entrypoint, made: Made) -> Made:
    """Drops a command that the body started with, which was meant for another entry point."""
    made = made.configured(f"entrypoint {printing.listed(statement.args)}", entrypoint=statement.args)
    if made.cmd_inherited:
        assert made.image is not None
        made = evolve(made, image=made.image.with_config(cmd=()))
    return made


def cmd(lowering: Lowering, step: Step, statement: recipe.Cmd, made: Made) -> Made:
    made = made.configured(f"cmd {printing.listed(statement.args)}", cmd=statement.args)
    return evolve(made, cmd_inherited=False)


def healthcheck(lowering: Lowering, step: Step, statement: recipe.Healthcheck, made: Made) -> Made:
    check = images.Healthcheck(
        test=("NONE",) if statement.args is None else ("CMD", *statement.args),
        interval=statement.interval or 0,
        timeout=statement.timeout or 0,
        start_period=statement.start_period or 0,
        start_interval=statement.start_interval or 0,
        retries=statement.retries or 0,
    )
    return made.configured(printing.healthcheck(statement), healthcheck=check)
