"""What operators see: logs, metrics, health. The names of log fields are constants in `fields`."""
