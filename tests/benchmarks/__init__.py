"""Scripts that measure. Never run by the test suites; each prints peer, ours and their ratio from one run."""
