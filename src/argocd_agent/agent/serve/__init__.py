"""What the hub asks of the spoke for people who look at it: each request answered here."""
