"""Results and requests of frontends, in the messages of `moby.buildkit.v1.frontend` and as values."""

from __future__ import annotations

from pybuild.compiler.gateway import Attestation, Request, Result, Subject
from pybuild.compiler.llb.decode import EmptyDefinition, decode_definition
from pybuild.compiler.llb.messages import definition_message
from pybuild.compiler.llb.validate import validated
from pybuild.compiler.protos import gateway_pb2 as pb
from pybuild.compiler.protos import ops_pb2
from pybuild.runtime.bridge.caps import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pybuild.compiler.graph import Edge
    from pybuild.runtime.bridge.refs import Refs


def edge_of(definition: ops_pb2.Definition) -> Edge | None:
    """Return the state of a definition, None for the empty one. Raises DefinitionError."""
    try:
        return require(validated(decode_definition(definition.SerializeToString())))
    except EmptyDefinition:
        return None


def request_of(message: pb.SolveRequest) -> Request:
    """Decode a request. Raises DefinitionError."""
    options: Any = dict(message.FrontendOpt)
    inputs: Any = {name: edge_of(one) for name, one in message.FrontendInputs.items()}
    return Request(
        edge_of(message.Definition),
        message.Frontend,
        options,
        inputs,
        message.Evaluate,
        tuple(one.SerializeToString() for one in message.SourcePolicies),
    )


def message_of(result: Result, request: pb.SolveRequest, refs: Refs) -> pb.Result:
    """Encode the answer to a request, each state under a new id. A client that does not know definitions in
    refs gets the ids alone."""
    own = request.Definition if not request.Frontend and not request.SourcePolicies else None

    def ref(edge: Edge | None) -> pb.Ref:
        if edge is None:
            return pb.Ref()
        definition = own if own is not None else definition_message(edge)
        return pb.Ref(id=refs.add(edge, definition), **{"def": definition})

    message = pb.Result(metadata=dict(result.metadata))
    if result.edges is None:
        message_ref = ref(result.edge)
        if request.allowResultArrayRef:
            message.ref.CopyFrom(message_ref)
        else:
            message.refDeprecated = message_ref.id
    else:
        messages = {key: ref(edge) for key, edge in result.edges.items()}
        if request.allowResultArrayRef:
            message.refs.CopyFrom(pb.RefMap(refs=messages))
        else:
            ids = {key: message_ref.id for key, message_ref in messages.items()}
            message.refsDeprecated.CopyFrom(pb.RefMapDeprecated(refs=ids))
    for key, several in result.attestations.items():
        message.attestations[key].attestation.extend(
            _attestation_message(each, ref(each.edge) if each.edge is not None else None) for each in several
        )
    return message


def result_of(message: pb.Result, refs: Refs) -> Result:
    """Decode the result that a frontend returned. Raises NoSuchRef."""
    edge, edges = None, None
    kind = message.WhichOneof("result")
    if kind == "refDeprecated":
        edge = refs.returned(message.refDeprecated)
    elif kind == "ref":
        edge = refs.returned(message.ref.id)
    elif kind == "refsDeprecated":
        edges = {key: refs.returned(id) for key, id in message.refsDeprecated.refs.items()}
    elif kind == "refs":
        edges = {key: refs.returned(one.id) for key, one in message.refs.refs.items()}
    attestations: Any = {
        key: tuple(_attestation(one, refs) for one in several.attestation)
        for key, several in message.attestations.items()
    }
    return Result(edge, edges, _bytes(message.metadata), attestations)


def _attestation_message(one: Attestation, ref: pb.Ref | None) -> pb.Attestation:
    return pb.Attestation(
        kind=_kind(one.kind),
        metadata=dict(one.metadata),
        ref=ref,
        path=one.path,
        inTotoPredicateType=one.predicate_type,
        inTotoSubjects=[
            pb.InTotoSubject(kind=_kind(subject.kind), digest=subject.digests, name=subject.name)
            for subject in one.subjects
        ],
    )


def _attestation(message: pb.Attestation, refs: Refs) -> Attestation:
    return Attestation(
        message.kind,
        _bytes(message.metadata),
        refs.returned(message.ref.id) if message.HasField("ref") else None,
        message.path,
        message.inTotoPredicateType,
        tuple(Subject(one.kind, tuple(one.digest), one.name) for one in message.inTotoSubjects),
    )


def _bytes(found: Mapping[str, bytes]) -> Any:
    return dict(found)


def _kind(number: int) -> Any:
    """Return the number of an enum; the type stubs have a class for each."""
    return number
