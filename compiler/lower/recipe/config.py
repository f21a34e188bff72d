"""Statements that change the image config and the settings of later commands, but no files."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler import image as images
from pybuild.compiler.frozenmap import frozen_map
from pybuild.compiler.lower.recipe import printing
from pybuild.compiler.lower.recipe.lowered_state import LoweredState
from pybuild.compiler.lower.recipe.lowering import Lowering
from pybuild.compiler.lower.recipe.templates import expanded
from pybuild.lang import recipe
from pybuild.lang.recipe import Step


def env(lowering: Lowering, step: Step, statement: recipe.Env, lowered: LoweredState) -> LoweredState:
    """Lower an `env`. Every value is expanded with the variables before the statement."""
    pairs = [
        (name, expanded(value, lowered.environment, step.span, whole=lowered.whole))
        for name, value in statement.values
    ]
    config, environment = lowered.config, dict(lowered.environment)
    for name, value in pairs:
        config = config.with_env(name, value)
        # Removed first, so that the variable comes last in the order of the dict.
        environment.pop(name, None)
        environment[name] = value
    lowered = lowered.configured("env " + printing.pairs(pairs, names=True), env=config.env)
    return evolve(lowered, environment=environment)


def user(lowering: Lowering, step: Step, statement: recipe.User, lowered: LoweredState) -> LoweredState:
    return lowered.configured(f"user {printing.literal(statement.name)}", user=statement.name)


def shell(lowering: Lowering, step: Step, statement: recipe.Shell, lowered: LoweredState) -> LoweredState:
    lowered = lowered.configured(f"shell {printing.listed(statement.args)}", shell=statement.args)
    return evolve(lowered, shell=statement.args)


def label(lowering: Lowering, step: Step, statement: recipe.Labels, lowered: LoweredState) -> LoweredState:
    values = frozen_map(lowered.config.labels).updated(dict(statement.values))
    return lowered.configured("label " + printing.pairs(statement.values), labels=values)


def annotate(
    lowering: Lowering, step: Step, statement: recipe.Annotations, lowered: LoweredState
) -> LoweredState:
    """Lower an `annotation`. Annotations are part of the manifest, not of the config."""
    return evolve(lowered, annotations={**lowered.annotations, **dict(statement.values)})


def expose(lowering: Lowering, step: Step, statement: recipe.Expose, lowered: LoweredState) -> LoweredState:
    ports = lowered.config.exposed_ports | set(statement.ports)
    return lowered.configured(printing.expose(statement.ports), exposed_ports=ports)


def volume(lowering: Lowering, step: Step, statement: recipe.Volume, lowered: LoweredState) -> LoweredState:
    volumes = lowered.config.volumes | set(statement.paths)
    return lowered.configured(f"volume {printing.texts(statement.paths)}", volumes=volumes)


def stop_signal(
    lowering: Lowering, step: Step, statement: recipe.StopSignal, lowered: LoweredState
) -> LoweredState:
    return lowered.configured(f"stop_signal {printing.literal(statement.name)}", stop_signal=statement.name)


def entrypoint(
    lowering: Lowering, step: Step, statement: recipe.Entrypoint, lowered: LoweredState
) -> LoweredState:
    """Lower an `entrypoint`. The command of the base is dropped: it was meant for another entry point."""
    lowered = lowered.configured(f"entrypoint {printing.listed(statement.args)}", entrypoint=statement.args)
    if lowered.cmd_inherited:
        assert lowered.image is not None
        lowered = evolve(lowered, image=lowered.image.with_config(cmd=()))
    return lowered


def cmd(lowering: Lowering, step: Step, statement: recipe.Cmd, lowered: LoweredState) -> LoweredState:
    lowered = lowered.configured(f"cmd {printing.listed(statement.args)}", cmd=statement.args)
    return evolve(lowered, cmd_inherited=False)


def healthcheck(
    lowering: Lowering, step: Step, statement: recipe.Healthcheck, lowered: LoweredState
) -> LoweredState:
    check = images.Healthcheck(
        test=("NONE",) if statement.args is None else ("CMD", *statement.args),
        interval=statement.interval or 0,
        timeout=statement.timeout or 0,
        start_period=statement.start_period or 0,
        start_interval=statement.start_interval or 0,
        retries=statement.retries or 0,
    )
    return lowered.configured(printing.healthcheck(statement), healthcheck=check)
