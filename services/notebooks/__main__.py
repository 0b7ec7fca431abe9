"""``python -m jupyterhub_notebooks.services.notebooks``: pages and REST API, as the Hub starts them."""

import sys

from jupyterhub_notebooks.services.notebooks.app import service
from jupyterhub_notebooks.services.running import main

if __name__ == "__main__":
    sys.exit(main("notebooks", service))
