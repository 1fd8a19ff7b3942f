"""What Argo CD talks to on the hub, as if it were the cluster."""
