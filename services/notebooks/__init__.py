"""The pages and the REST API for people."""
