"""python -m jupyterhub_notebooks.services.idle_culler"""

import sys

from jupyterhub_notebooks.services.idle_culler.app import service
from jupyterhub_notebooks.services.running import main

if __name__ == "__main__":
    sys.exit(main("idle_culler", service))
