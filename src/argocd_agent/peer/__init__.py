"""What principal and agent both do: observe a cluster, drive a session, carry out actions, reconcile."""
