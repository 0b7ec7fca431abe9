"""The service that agents talk to, and nobody else: see README.md."""
