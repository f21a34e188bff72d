"""What a frontend gives its builder: references of states with their configs, or why there are none."""

from __future__ import annotations

import json
from typing import Any

from pybuild.compiler import platforms
from pybuild.compiler.frontend import Built, BuiltImage
from pybuild.compiler.gateway import BASE_CONFIG, CONFIG, PLATFORMS, Result
from pybuild.compiler.graph import Edge
from pybuild.compiler.protos import gateway_pb2
from pybuild.frontends.attributes import Attributes
from pybuild.frontends.results import platform_object
from pybuild.lang.diagnostics import UserError
from pybuild.sdk.attributes import step_defaults
from pybuild.sdk.client import Client


def result_of(built: Built, attributes: Attributes) -> Result:
    """The images with the labels and the settings of steps that the build's attributes say. Raises UserError."""
    edges = step_defaults(attributes).applied([one.state.edge for one in built.images])
    names = [_key(one) for one in built.images]
    index = attributes.multi_platform or len(names) > 1
    if not names or len(set(names)) < len(names):
        raise UserError("the frontend made " + ("two images for one platform" if names else "no image"))
    metadata: Any = {}
    for name, one in zip(names, built.images, strict=True):
        place = f"/{name}" if index else ""
        all_labels = {**one.image.config.labels, **attributes.labels}
        metadata[CONFIG + place] = one.image.with_config(labels=all_labels).to_json()
        if one.base_config is not None:
            metadata[BASE_CONFIG + place] = one.base_config
    found = {
        name: platform_object(platforms.normalize(one.image.platform))
        for name, one in zip(names, built.images, strict=True)
    }
    metadata[PLATFORMS] = json.dumps(
        {"Platforms": [{"ID": name, "Platform": one} for name, one in found.items()]}
    ).encode()
    if index:
        return Result(edges=dict(zip(names, edges, strict=True)), metadata=metadata)
    return Result(edge=edges[0], metadata=metadata)


def result_message(result: Result, client: Client) -> gateway_pb2.Result:
    """A result whose states the builder has been asked for; none of them has to be made yet. Raises UserError."""
    message = gateway_pb2.Result(metadata=result.metadata)
    if result.edges is None:
        message.ref.CopyFrom(_ref(result.edge, client))
    else:
        message.refs.SetInParent()
        for key, edge in result.edges.items():
            message.refs.refs[key].CopyFrom(_ref(edge, client))
    for key, found in result.attestations.items():
        for one in found:
            message.attestations[key].attestation.add(
                kind=gateway_pb2.AttestationKind.Name(one.kind),
                metadata=one.metadata,
                ref=_ref(one.edge, client),
                path=one.path,
                inTotoPredicateType=one.predicate_type,
                inTotoSubjects=[
                    gateway_pb2.InTotoSubject(
                        kind=gateway_pb2.InTotoSubjectKind.Name(subject.kind),
                        digest=subject.digests,
                        name=subject.name,
                    )
                    for subject in one.subjects
                ],
            )
    return message


def _ref(edge: Edge | None, client: Client) -> gateway_pb2.Ref:
    return gateway_pb2.Ref(id=client.solve(edge))


def _key(one: BuiltImage) -> str:
    return platforms.format_all(platforms.normalize(one.image.platform))
