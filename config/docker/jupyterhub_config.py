"""JupyterHub's configuration for one machine with Docker: each notebook is a container with limits of its own.

    python images/build.py notebook-base            once, and after each upgrade
    jupyterhub-notebooks up --config config/docker/jupyterhub_config.py --profiles config/docker/profiles.yaml

What differs from the local one (config/local) is said here; the rest is explained there. Profiles name images
(`image: notebook-base:latest`); `profiles.yaml` beside this file has two to begin with.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from jupyterhub_notebooks.configure import let_up_act, notebooks, secret

c = get_config()  # type: ignore[name-defined]  # noqa: F821

state = Path(os.environ["NOTEBOOKS_STATE"])
secrets = state / "secrets"

# --- The network of the notebooks -----------------------------------------------------------------------

# A bridge on which notebooks do not see one another. Hub and services/agents listen on this machine's address on
# it, and on no other. What else listens on every address of this machine (0.0.0.0) is within a notebook's reach
# too, as with any container: deploying.md has the lines for a firewall.
NETWORK = os.environ.get("NOTEBOOKS_NETWORK", "notebooks")
asked = subprocess.run(
    [sys.executable, str(Path(__file__).with_name("bridge.py")), NETWORK], capture_output=True, text=True
)
if asked.returncode:
    raise SystemExit(asked.stderr.strip())
bridge = asked.stdout.strip()

# --- The Hub ------------------------------------------------------------------------------------------------

c.JupyterHub.bind_url = os.environ["NOTEBOOKS_URL"]
c.JupyterHub.hub_bind_url = f"http://{bridge}:{os.environ['NOTEBOOKS_PORT_HUB']}"
# Our databases and the store lie in the state directory, unless these variables say otherwise: NOTEBOOKS_HUB_DATABASE,
# NOTEBOOKS_LEDGER, NOTEBOOKS_STORE, each the address, or `file:/path` of a file in which it stands, and
# NOTEBOOKS_STORE_OPTIONS as JSON (config/local names the options).
c.JupyterHub.db_url = secret(
    os.environ.get("NOTEBOOKS_HUB_DATABASE", f"sqlite:///{state / 'jupyterhub.sqlite'}")
)
c.JupyterHub.cookie_secret_file = str(secrets / "cookie-secret")
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ['NOTEBOOKS_PORT_PROXY']}"
c.ConfigurableHTTPProxy.auth_token = (secrets / "proxy-token").read_text().strip()
c.JupyterHub.authenticator_class = "notebooks-passwords"

# --- Notebooks ----------------------------------------------------------------------------------------------

c.JupyterHub.spawner_class = "notebooks-docker"
c.DockerNotebookSpawner.network_name = NETWORK

notebooks(
    c,
    ledger=os.environ.get("NOTEBOOKS_LEDGER", f"sqlite:///{state / 'ledger.sqlite'}"),
    # A folder's bytes go through services/agents; an S3 must be reachable from the notebooks' network.
    store=os.environ.get("NOTEBOOKS_STORE", f"file://{state / 'store'}"),
    store_options=json.loads(os.environ.get("NOTEBOOKS_STORE_OPTIONS", "{}")),
    profiles=os.environ["NOTEBOOKS_PROFILES"],
    agents_url=f"http://{bridge}:{os.environ['NOTEBOOKS_PORT_AGENTS']}/services/agents",
    pages_url=f"http://127.0.0.1:{os.environ['NOTEBOOKS_PORT_NOTEBOOKS']}",
    agents_api_token=f"file:{secrets / 'agents-token'}",
    signing_key=f"file:{secrets / 'signing-key'}",
    # The volumes of notebooks that are deleted for good are removed from this engine.
    volumes="docker:",
    # What this engine can do. gpu_kinds: the GPUs of this machine by the names that flavors use, with NVIDIA's
    # container toolkit installed: ["T4"].
    abilities={
        "name": "docker",
        "images": True,
        "limits_cpu": True,
        "limits_memory": True,
        "gpu_kinds": [],
        "egress": True,
    },
    # Networks of your own that notebooks reach directly whose profile has a rule for the network: ["10.20.0.0/16"].
    internal_networks=[],
)

# --- What `up` itself may do at the Hub -------------------------------------------------------------------------

let_up_act(c, (secrets / "up-token").read_text().strip())
