"""``python -m jupyterhub_notebooks.services.agents``: see README.md."""

import sys

from ..running import main
from .app import service

if __name__ == "__main__":
    sys.exit(main("agents", service))
