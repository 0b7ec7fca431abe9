"""A managed notebook platform as a JupyterHub extension bundle."""

__version__ = "0.1.0"
