"""A real Kubernetes for the tests: built once (building), started and ended without a trace (running, clearing)."""
