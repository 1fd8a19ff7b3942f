"""Who an agent is: from its client certificate, from a header that a mesh injects, or from a password."""
