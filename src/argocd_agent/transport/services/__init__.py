"""One thin servicer per gRPC service: bytes in, the gate asked, bytes out. No generated stubs."""
