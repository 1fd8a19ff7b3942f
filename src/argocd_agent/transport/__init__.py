"""gRPC, and only here; and its in-memory twin for tests. Start reading at stream.py."""
