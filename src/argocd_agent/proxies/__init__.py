"""What Argo CD talks to on the hub instead of a remote cluster. Who answers is behind the ports."""
