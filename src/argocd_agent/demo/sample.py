"""What the demo deploys: a small application in a Git repository of its own, and the Argo CD Application for it."""

from argocd_agent.demo.model import FINALIZER
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import Metadata, Object, new_object

NAME = "guestbook"
PATH = "guestbook"
DESTINATION_NAMESPACE = "guestbook"

_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: guestbook
  labels: {app: guestbook}
spec:
  replicas: REPLICAS
  selector:
    matchLabels: {app: guestbook}
  template:
    metadata:
      labels: {app: guestbook}
    spec:
      containers:
        - name: web
          image: registry.example/guestbook:VERSION
          ports: [{containerPort: 8080}]
          envFrom: [{configMapRef: {name: guestbook}}]
"""

_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: guestbook
spec:
  selector: {app: guestbook}
  ports: [{port: 80, targetPort: 8080}]
"""

_CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: guestbook
data:
  greeting: GREETING
"""


def files(version: int, greeting: str) -> dict[str, str]:
    """The repository's files at *version*; each version has one replica more."""
    deployment = _DEPLOYMENT.replace("REPLICAS", str(version)).replace("VERSION", f"v{version}")
    return {
        f"{PATH}/configmap.yaml": _CONFIG.replace("GREETING", greeting),
        f"{PATH}/deployment.yaml": deployment,
        f"{PATH}/service.yaml": _SERVICE,
    }


def application(agent: str, repo: str, path: str, revision: str) -> Object:
    """The Application for *agent*, as a user writes it on the hub: synced by itself, cascading when deleted."""
    metadata = Metadata(name=NAME, namespace=agent, finalizers=(FINALIZER,))
    spec = {
        "project": "default",
        "source": {"repoURL": repo, "path": path, "targetRevision": revision},
        "destination": {"name": agent, "namespace": DESTINATION_NAMESPACE},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]},
    }
    return new_object(APPLICATIONS, metadata, spec=spec)
