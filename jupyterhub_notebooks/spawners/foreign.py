"""A server from an image that knows nothing of us (`agent: beside`): how it is started, and what stands in front of it."""

from __future__ import annotations

import shlex

PORT = 8889
PATH = f"proxy/absolute/{PORT}"
URL = f"/{PATH}/lab"
FRONT = ["jupyterhub-singleuser", "--ip=0.0.0.0"]
#: Where JupyterLab is not in PATH its Python may have it.
SERVER = "command -v jupyter-lab >/dev/null || exec python3 -m jupyterlab {arguments}; exec jupyter-lab {arguments}"
#: What answers in place of the server while a run only saves.
SAVING_PAGE = ["/opt/notebook/bin/python", "-P", "-s", "-m", "jupyterhub_notebooks.agent.saving_page"]


def command(base_path: str) -> list[str]:
    """What the notebook's container runs: JupyterLab for whoever the front lets through. base_path: of its addresses."""
    arguments = [
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={PORT}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.base_url={base_path}",
        "--IdentityProvider.token=",
        "--ServerApp.allow_remote_access=True",
        # Two cookies of that name would meet: the Hub's for the front, and this server's. Origins are compared still.
        "--ServerApp.disable_check_xsrf=True",
    ]
    return ["sh", "-c", SERVER.format(arguments=shlex.join(arguments))]
