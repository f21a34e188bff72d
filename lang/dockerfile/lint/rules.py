"""The build checks. Names, descriptions and messages are those of BuildKit's Dockerfile frontend 1.26.

The reference is `frontend/dockerfile/linter/ruleset.go`. An experimental rule is off unless it is enabled.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pybuild.lang.dockerfile.goquote import quote

DOCUMENTATION = "https://pybuildkit.readthedocs.io/en/stable/dockerfile/checks/"
REFERENCE = "https://docs.docker.com/go/dockerfile/rule/"
"""The address of Docker's pages about the rules, which clients of BuildKit get."""

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Rule:
    """A build check. `message` makes the text of a finding from the facts that are reported with it."""

    __slots__ = ("description", "experimental", "message", "name")

    def __init__(
        self, name: str, description: str, message: Callable[..., str], *, experimental: bool = False
    ) -> None:
        self.name = name
        self.description = description
        self.message = message
        self.experimental = experimental

    @property
    def slug(self) -> str:
        """The name of the rule's page: `stage-name-casing`."""
        return _WORD_START.sub("-", self.name).lower()

    @property
    def url(self) -> str:
        return self.page(DOCUMENTATION)

    def page(self, pages: str) -> str:
        """Return the address of the rule's page under the address `pages`."""
        return f"{pages}{self.slug}/"

    def __repr__(self) -> str:
        return f"Rule({self.name})"


def _undefined_arg(name: str, near: str) -> str:
    return f"FROM argument '{name}' is not declared" + (f" (did you mean {near}?)" if near else "")


def _undefined_variable(name: str, near: str) -> str:
    return f"Usage of undefined variable '${name}'" + (f" (did you mean ${near}?)" if near else "")


STAGE_NAME_CASING = Rule(
    "StageNameCasing",
    "Stage names should be lowercase",
    "Stage name '{}' should be lowercase".format,
)
FROM_AS_CASING = Rule(
    "FromAsCasing",
    "The 'as' keyword should match the case of the 'from' keyword",
    lambda from_, as_: f"'{as_}' and '{from_}' keywords' casing do not match",
)
NO_EMPTY_CONTINUATION = Rule(
    "NoEmptyContinuation",
    "Empty continuation lines will become errors in a future release",
    lambda: "Empty continuation line",
)
CONSISTENT_INSTRUCTION_CASING = Rule(
    "ConsistentInstructionCasing",
    "All commands within the Dockerfile should use the same casing (either upper or lower)",
    "Command '{}' should match the case of the command majority ({})".format,
)
DUPLICATE_STAGE_NAME = Rule(
    "DuplicateStageName",
    "Stage names should be unique",
    lambda name: f"Duplicate stage name {quote(name)}, stage names should be unique",
)
RESERVED_STAGE_NAME = Rule(
    "ReservedStageName",
    "Reserved words should not be used as stage names",
    lambda name: f"Stage name should not use the same name as reserved stage {quote(name)}",
)
JSON_ARGS_RECOMMENDED = Rule(
    "JSONArgsRecommended",
    "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
    "JSON arguments recommended for {} to prevent unintended behavior related to OS signals".format,
)
MAINTAINER_DEPRECATED = Rule(
    "MaintainerDeprecated",
    "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
    lambda: "Maintainer instruction is deprecated in favor of using label",
)
UNDEFINED_ARG_IN_FROM = Rule("UndefinedArgInFrom", "FROM command must use declared ARGs", _undefined_arg)
WORKDIR_RELATIVE_PATH = Rule(
    "WorkdirRelativePath",
    "Relative workdir without an absolute workdir declared within the build can have unexpected results if the "
    "base image changes",
    lambda path: f"Relative workdir {quote(path)} can have unexpected results if the base image changes",
)
UNDEFINED_VAR = Rule("UndefinedVar", "Variables should be defined before their use", _undefined_variable)
MULTIPLE_INSTRUCTIONS_DISALLOWED = Rule(
    "MultipleInstructionsDisallowed",
    "Multiple instructions of the same type should not be used in the same stage",
    "Multiple {} instructions should not be used in the same stage because only the last one will be used".format,
)
LEGACY_KEY_VALUE_FORMAT = Rule(
    "LegacyKeyValueFormat",
    "Legacy key/value format with whitespace separator should not be used",
    '"{0} key=value" should be used instead of legacy "{0} key value" format'.format,
)
INVALID_BASE_IMAGE_PLATFORM = Rule(
    "InvalidBaseImagePlatform",
    "Base image platform does not match expected target platform",
    lambda image, expected, actual: (
        f"Base image {image} was pulled with platform {quote(actual)}, expected {quote(expected)} for current build"
    ),
)
REDUNDANT_TARGET_PLATFORM = Rule(
    "RedundantTargetPlatform",
    "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    "Setting platform to predefined {} in FROM is redundant as this is the default behavior".format,
)
SECRETS_USED_IN_ARG_OR_ENV = Rule(
    "SecretsUsedInArgOrEnv",
    "Sensitive data should not be used in the ARG or ENV commands",
    lambda kind, key: f"Do not use ARG or ENV instructions for sensitive data ({kind} {quote(key)})",
)
INVALID_DEFAULT_ARG_IN_FROM = Rule(
    "InvalidDefaultArgInFrom",
    "Default value for global ARG results in an empty or invalid base image name",
    "Default value for ARG {} results in empty or invalid base image name".format,
)
FROM_PLATFORM_FLAG_CONST_DISALLOWED = Rule(
    "FromPlatformFlagConstDisallowed",
    "FROM --platform flag should not use a constant value",
    lambda platform: f"FROM --platform flag should not use constant value {quote(platform)}",
)
COPY_IGNORED_FILE = Rule(
    "CopyIgnoredFile",
    "Attempting to Copy file that is excluded by .dockerignore",
    lambda verb, path: f"Attempting to {verb} file {quote(path)} that is excluded by .dockerignore",
    experimental=True,
)
INVALID_DEFINITION_DESCRIPTION = Rule(
    "InvalidDefinitionDescription",
    "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is "
    "not intended to be a description comment, add an empty line or comment between the instruction and the "
    "comment.",
    "Comment for {} should follow the format: `# {} <description>`".format,
    experimental=True,
)
EXPOSE_PROTO_CASING = Rule(
    "ExposeProtoCasing",
    "Protocol in EXPOSE instruction should be lowercase",
    "Defined protocol '{}' in EXPOSE instruction should be lowercase".format,
)
EXPOSE_INVALID_FORMAT = Rule(
    "ExposeInvalidFormat",
    "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a "
    "future release",
    "EXPOSE instruction should not define an IP address or host-port mapping, found '{}'".format,
)

RULES: dict[str, Rule] = {rule.name: rule for rule in list(globals().values()) if isinstance(rule, Rule)}
"""Every rule by its name."""
