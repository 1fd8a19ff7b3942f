"""A Kubernetes API face for each agent: Argo CD talks to it as it would to the agent's cluster.

`listener` takes connections, `routes` decides what a request is and who serves it, `callers` whose it is, `asking`
turns it into a question to an agent and the reply into an answer.
"""
