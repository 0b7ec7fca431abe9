"""``python -m jupyterhub_notebooks.services.janitor``."""

import sys

from jupyterhub_notebooks.services import running

from .app import service

if __name__ == "__main__":
    sys.exit(running.main("janitor", service))
