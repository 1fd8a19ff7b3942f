"""`python -m argocd_agent.backends.embedded.face`; see `run.py`."""

import sys

from argocd_agent.backends.embedded.face.run import main

if __name__ == "__main__":
    sys.exit(main())
