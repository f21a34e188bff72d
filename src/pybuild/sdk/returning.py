"""Builds the message that a frontend returns: references of states with their configs."""

from __future__ import annotations

from pybuild.compiler import platforms
from pybuild.compiler.frontend import Built, BuiltImage
from pybuild.compiler.gateway import Result
from pybuild.compiler.graph import Edge
from pybuild.compiler.protos import gateway_pb2
from pybuild.frontends.attributes import Attributes
from pybuild.frontends.results import result_of, targets_of_built
from pybuild.lang.diagnostics import UserError
from pybuild.sdk.attributes import step_defaults
from pybuild.sdk.client import Client


def built_result(built: Built, attributes: Attributes) -> Result:
    """Return the images as a result, with the labels and step settings of the attributes. Raises UserError."""
    names = [_key(image) for image in built.images]
    if not names or len(set(names)) < len(names):
        raise UserError("the frontend made " + ("two images for one platform" if names else "no image"))
    targets = targets_of_built(built, step_defaults(attributes), attributes.labels)
    return result_of(targets, index=attributes.multi_platform or len(targets) > 1)


def result_message(result: Result, client: Client) -> gateway_pb2.Result:
    """Return the message for a result. The builder gets its states with this; it need not have solved them yet.
    Raises UserError."""
    message = gateway_pb2.Result(metadata=result.metadata)
    if result.edges is None:
        message.ref.CopyFrom(_ref(result.edge, client))
    else:
        message.refs.SetInParent()
        for key, edge in result.edges.items():
            message.refs.refs[key].CopyFrom(_ref(edge, client))
    for key, attestations in result.attestations.items():
        for attestation in attestations:
            message.attestations[key].attestation.add(
                kind=gateway_pb2.AttestationKind.Name(attestation.kind),
                metadata=attestation.metadata,
                ref=_ref(attestation.edge, client),
                path=attestation.path,
                inTotoPredicateType=attestation.predicate_type,
                inTotoSubjects=[
                    gateway_pb2.InTotoSubject(
                        kind=gateway_pb2.InTotoSubjectKind.Name(subject.kind),
                        digest=subject.digests,
                        name=subject.name,
                    )
                    for subject in attestation.subjects
                ],
            )
    return message


def _ref(edge: Edge | None, client: Client) -> gateway_pb2.Ref:
    return gateway_pb2.Ref(id=client.solve(edge))


def _key(image: BuiltImage) -> str:
    return platforms.format_all(platforms.normalize(image.image.platform))
