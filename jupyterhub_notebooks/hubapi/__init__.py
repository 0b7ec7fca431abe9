"""The Hub's REST API as a client sees it."""

from .client import HubApi, HubRefused, Server, User

__all__ = ["HubApi", "HubRefused", "Server", "User"]
