"""What may be made on this cluster from the hub.

An object may, where one of the owners that it names belongs to an Application, or where the AppProject of an
Application of this cluster allows its kind in its namespace. What a resource action of Argo CD makes is one or the
other.
"""

from collections.abc import Mapping

from argocd_agent.agent.tracking import Tracking
from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import ClusterError, DecodeError, Forbidden, NotFound
from argocd_agent.peer.observe import Key
from argocd_agent.resources.kinds import APPPROJECTS
from argocd_agent.resources.objects import Object
from argocd_agent.resources.permits import permits
from argocd_agent.resources.tracking import Ref

_DEFAULT = "default"  # the AppProject of an Application that names none


class Creating:
    """Decides by the Applications in *held* and their AppProjects in *namespace*."""

    def __init__(self, cluster: Cluster, tracking: Tracking, namespace: str, held: Mapping[Key, Object]) -> None:
        self._cluster, self._tracking, self._namespace, self._held = cluster, tracking, namespace, held

    async def require(self, obj: Object, ref: Ref) -> None:
        """Nothing, where *obj* may be made as *ref*. Raises `Forbidden`, or another `ClusterError`."""
        if obj.metadata.owner_references and await self._tracking.require_owner(obj, ref):
            return
        projects = sorted({_project_of(application) for application in self._held.values()})
        for name in projects:
            if await self._allows(name, ref):
                return
        where = f'in namespace "{ref.namespace}"' if ref.namespace else "of the whole cluster"
        looked_at = f"AppProject {', '.join(projects)}" if projects else "AppProject: there is no Application here"
        raise Forbidden(
            f'{ref.kind} "{ref.name}" {where} may not be made: expected an owner that belongs to an Application, or an '
            f"AppProject of an Application that allows the kind there, found no such owner and no such {looked_at}"
        )

    async def _allows(self, project: str, ref: Ref) -> bool:
        try:
            found = await self._cluster.get(APPPROJECTS, self._namespace, project)
        except NotFound:
            return False
        return permits(found, ref.group, ref.kind, ref.namespace)


def _project_of(application: Object) -> str:
    try:
        spec = application.look("spec")
    except DecodeError as error:
        raise ClusterError(f'Application "{application.namespace}/{application.name}": {error}') from error
    name = spec.get("project") if isinstance(spec, dict) else None
    return name if isinstance(name, str) and name else _DEFAULT
