"""Who this principal is: a UID in a ConfigMap, made at the first start and stable from then on."""

from uuid import uuid4

from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import AlreadyExists, ConfigError, NotFound
from argocd_agent.protocol.names import CONFIGMAP_IDENTITY, CONFIGMAP_IDENTITY_KEY
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.resources.objects import Metadata, Object, new_object


async def principal_uid(cluster: Cluster, namespace: str) -> str:
    """The UID of the principal of *namespace*. Raises `ConfigError` for a ConfigMap without one, and `ClusterError`."""
    try:
        found = await cluster.get(CONFIGMAPS, namespace, CONFIGMAP_IDENTITY)
    except NotFound:
        wanted = new_object(
            CONFIGMAPS,
            Metadata(name=CONFIGMAP_IDENTITY, namespace=namespace),
            data={CONFIGMAP_IDENTITY_KEY: str(uuid4())},
        )
        try:
            found = await cluster.create(CONFIGMAPS, wanted)
        except AlreadyExists:  # another principal of this hub was faster
            found = await cluster.get(CONFIGMAPS, namespace, CONFIGMAP_IDENTITY)
    return _uid(found)


def _uid(config_map: Object) -> str:
    data = config_map.look("data")
    uid = data.get(CONFIGMAP_IDENTITY_KEY) if isinstance(data, dict) else None
    if not isinstance(uid, str) or not uid:
        raise ConfigError(
            f'ConfigMap "{config_map.namespace}/{config_map.name}": expected a UID under {CONFIGMAP_IDENTITY_KEY}, '
            "found none; delete the ConfigMap to give this hub a new identity"
        )
    return uid
