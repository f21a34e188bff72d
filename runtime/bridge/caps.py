"""Capabilities: what a frontend may use of the bridge and put into a graph, by BuildKit's names.

Frontends check the capabilities before they use them; a definition lists the ones it needs. A capability that
this runtime lacks is listed as disabled with a reason, so that clients report it early. Needs the extra
`pybuild[buildkit]`.
"""

from __future__ import annotations

from pybuild.compiler.graph import walk
from pybuild.compiler.llb.wire import DefinitionError
from pybuild.compiler.protos.caps_pb2 import APICap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pybuild.compiler.graph import Edge

FRONTEND = """
frontend.caps frontend.inputs
gateway.evaluate gateway.exec gateway.exec.extrahosts gateway.exec.filesystem gateway.exec.secretenv
gateway.exec.signals gateway.solve.evaluate gateway.solve.metadata gateway.warnings
importcaches proto.refarray readdir readfile reference.attestations reference.output
resolveimage resolveimage.resolvemode return returnmap solve.base solve.inlinereturn source.metaresolver statfile
""".split()

LLB = """
source.image source.image.resolvemode source.image.layerlimit source.image.checksum
source.local source.local.unique source.local.sessionid source.local.includepatterns source.local.followpaths
source.local.excludepatterns source.local.sharedkeyhint source.local.differ source.local.metadatatransfer
source.git source.git.keepgitdir source.git.fullurl source.git.httpauth source.git.knownsshhosts
source.git.mountsshsock source.git.subdir source.git.checksum source.git.skipsubmodules source.git.mtime
source.git.fetchbycommit source.git.bundle source.git.checkoutbundle
source.http source.http.auth source.http.checksum source.http.perm soruce.http.uidgid source.http.header
source.http.signatureverify source.ocilayout source.imageblob source.buildop.llbfilename source.policy
exec.meta.base exec.meta.cgroup.parent exec.meta.network exec.meta.network.proxy exec.meta.proxyenv
exec.meta.security exec.meta.security.devices.v1 exec.meta.setsdefaultpath exec.meta.ulimit exec.meta.cdi
exec.meta.removemountstubs.recursive exec.meta.linux.resources
exec.mount.bind exec.mount.bind.readwrite-nooutput exec.mount.cache exec.mount.cache.sharing exec.mount.selector
exec.mount.tmpfs exec.mount.tmpfs.size exec.mount.secret exec.mount.ssh exec.mount.cache.content exec.cgroup
exec.secretenv exec.validexitcode
file.base file.rm.wildcard file.rm.nofollowsymlink file.copy.includeexcludepatterns file.copy.requiredpaths
file.copy.alwaysreplaceexistingdestpaths file.copy.modestring file.symlink.create
constraints platform meta.ignorecache meta.description meta.exportcache mergeop diffop passthroughop
cache.gha cache.s3 cache.azblob gc.freespacefilter history.filter
exporter.image.annotations exporter.image.attestations exporter.sourcedateepoch exporter.multiple
""".split()

DEPRECATED = frozenset({"solve.inlinereturn"})

_NO_STORE = "caches are kept in the store and in registries only"
_NO_BUNDLE = "git bundles are not read"
LACKS: Mapping[str, str] = {
    "cache.azblob": _NO_STORE,
    "cache.gha": _NO_STORE,
    "cache.s3": _NO_STORE,
    "exec.meta.network.proxy": "steps have no proxy of the builder's",
    "source.git.bundle": _NO_BUNDLE,
    "source.git.checkoutbundle": _NO_BUNDLE,
    "source.http.signatureverify": "signatures of downloaded files are not verified",
}
"""Capabilities that this runtime lacks, with the reasons."""


def frontend_caps() -> list[APICap]:
    """Return the capabilities of the bridge."""
    return _caps(FRONTEND, LACKS)


def llb_caps() -> list[APICap]:
    """Return the capabilities of graphs."""
    return _caps(LLB, LACKS)


def require(edge: Edge) -> Edge:
    """Return `edge` after checking that this runtime has every capability its vertices need. Raises
    DefinitionError."""
    for name in {name for vertex in walk([edge]) for name, needed in vertex.metadata.caps.items() if needed}:
        if name not in LLB:
            raise DefinitionError(f"failed to load LLB: unknown API capability {name}")
        if name in LACKS:
            raise DefinitionError(f"failed to load LLB: requested {name} is not supported: {LACKS[name]}")
    return edge


def _caps(names: Collection[str], lacks: Mapping[str, str]) -> list[APICap]:
    return [
        APICap(
            ID=name,
            Enabled=name not in lacks,
            Deprecated=name in DEPRECATED,
            DisabledReason="unsupported" if name in lacks else "",
            DisabledReasonMsg=lacks.get(name, ""),
        )
        for name in sorted(names)
    ]
