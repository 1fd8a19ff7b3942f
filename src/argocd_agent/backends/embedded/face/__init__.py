"""The HTTP face of an embedded cluster; see `server.py`, and `run.py` for one as a process."""

from argocd_agent.backends.embedded.face.access import Attempt, Client
from argocd_agent.backends.embedded.face.run import run_face
from argocd_agent.backends.embedded.face.server import Face, serve

__all__ = ["Attempt", "Client", "Face", "run_face", "serve"]
