"""The source policies of one build, applied to the sources it solves or resolves."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.graph import Edge, walk
from pybuild.compiler.ops import SourceOp
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.policy.judging import judged
from pybuild.runtime.policy.rules import PolicyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from pybuild.compiler.graph import Vertex
    from pybuild.compiler.ops import Platform
    from pybuild.runtime.policy.rules import Policy

    Facts = Callable[[SourceOp, Any], Any]
    """Resolves a source for the verifier. Its types are the bridge's; policies only hand it on."""

    class Verifier(Protocol):
        """A client that has the last word on each source."""

        def replaced(
            self,
            op: SourceOp,
            platform: Platform | None,
            judge: Callable[[SourceOp], SourceOp],
            facts: Facts,
        ) -> SourceOp:
            """Return the source that the client wants in place of `op`. `judge` applies the build's policies to
            a source that the client names. Raises PolicyError, SourceDenied."""


_GRAPH = "failed to load LLB: error evaluating the source policy"
_QUESTION = "could not resolve image due to policy"


class SourcePolicies:
    """The policies of one build (`own`) and the client that has the last word (`verifier`), if one wants it.
    `more` are encoded policies of a single request, `facts` resolves a source for the verifier's client.
    Thread-safe. Every method may raise SourceDenied, PolicyError, Cancelled."""

    def __init__(self, own: Sequence[Policy] = (), verifier: Verifier | None = None) -> None:
        self._own = tuple(own)
        self._verifier = verifier

    def edge(self, edge: Edge, more: Sequence[bytes], facts: Facts) -> Edge:
        """Return the state with each of its sources replaced as the policies say."""
        policies = [*self._own, *_decoded(more)]
        if not policies and self._verifier is None:
            return edge
        vertices: dict[str, Vertex] = {}
        for vertex in walk([edge]):
            inputs = tuple(Edge(vertices[one.vertex.digest], one.index) for one in vertex.inputs)
            op = vertex.op
            if isinstance(op, SourceOp):
                op = self._source(op, vertex.platform, policies, facts, _GRAPH)
            same = op == vertex.op and all(
                ours.vertex is theirs.vertex for ours, theirs in zip(inputs, vertex.inputs, strict=True)
            )
            vertices[vertex.digest] = vertex if same else evolve(vertex, op=op, inputs=inputs)
        return Edge(vertices[edge.vertex.digest], edge.index)

    def source(
        self, op: SourceOp, platform: Platform | None, more: Sequence[bytes], facts: Facts
    ) -> SourceOp:
        """Return the source to resolve in place of `op`."""
        return self._source(op, platform, [*_decoded(more), *self._own], facts, _QUESTION)

    def stated(self, op: SourceOp) -> SourceOp:
        """Return the source by the build's own policies alone, without asking its client."""
        return self._source(op, None, self._own, None, _QUESTION)

    def _source(
        self,
        op: SourceOp,
        platform: Platform | None,
        policies: Sequence[Policy],
        facts: Facts | None,
        what: str,
    ) -> SourceOp:
        try:
            op = judged(policies, op)
            if self._verifier is None or facts is None:
                return op
            return self._verifier.replaced(op, platform, lambda one: judged(policies, one), facts)
        except Cancelled:
            raise
        except PolicyError as error:
            raise error.within(what) from None
        except UserError as error:
            raise PolicyError(f"{what}: {error}") from None


def _decoded(more: Sequence[bytes]) -> list[Policy]:
    if not more:
        return []
    from pybuild.runtime.policy.messages import policy_of

    return [policy_of(one) for one in more]
