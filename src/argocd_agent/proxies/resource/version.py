"""`/version`: the API server that we pretend to be.

Source: docs/protocol, 9.1. The keys are those of Kubernetes, which client-go reads in any case.
"""

from argocd_agent.codec import encode

DOCUMENT = encode(
    {
        "major": "1",
        "minor": "28",
        "gitVersion": "1.28.5+argocd-agent",
        "gitCommit": "841856557ef0f6a399096c42635d114d6f2cf7f4",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "n/a",
        "compiler": "n/a",
        "platform": "linux/amd64",
    }
)
