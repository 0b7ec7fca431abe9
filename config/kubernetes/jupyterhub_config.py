"""JupyterHub's configuration for a Hub beside a Kubernetes: each notebook is a pod, the Hub runs on this machine.

    make cluster                                    a cluster on this machine to try it on; it says what to set
    jupyterhub-notebooks up --config config/kubernetes/jupyterhub_config.py --profiles config/kubernetes/profiles.yaml

In the cluster itself the Hub runs by its chart: values.yaml and production.md. What differs from the local configuration
(config/local) is said here; the rest is explained there. Profiles name images that the machines have or reach.
"""

import json
import os
from pathlib import Path

from jupyterhub_notebooks.configure import let_up_act, notebooks, secret

c = get_config()  # type: ignore[name-defined]  # noqa: F821

state = Path(os.environ["NOTEBOOKS_STATE"])
secrets = state / "secrets"

# --- The cluster ------------------------------------------------------------------------------------------

# KUBECONFIG names it, with an account that has the role of role.yaml and no more. NOTEBOOKS_NAMESPACE: where the pods
# are. NOTEBOOKS_ADDRESS: an address of this machine that pods reach; Hub and services/agents listen on it and on no other.
namespace = os.environ.get("NOTEBOOKS_NAMESPACE", "default")
address = os.environ.get("NOTEBOOKS_ADDRESS", "")
if not os.environ.get("KUBECONFIG") or not address:
    raise SystemExit("Set KUBECONFIG, and NOTEBOOKS_ADDRESS to an address of this machine that pods reach")

# --- The Hub ------------------------------------------------------------------------------------------------

c.JupyterHub.bind_url = os.environ["NOTEBOOKS_URL"]
c.JupyterHub.hub_bind_url = f"http://{address}:{os.environ['NOTEBOOKS_PORT_HUB']}"
# Databases and store lie in the state directory, unless these variables say otherwise: NOTEBOOKS_HUB_DATABASE,
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

c.JupyterHub.spawner_class = "notebooks-kube"
c.KubeNotebookSpawner.namespace = namespace
# An image that a machine has already is not asked for again.
c.KubeNotebookSpawner.image_pull_policy = "IfNotPresent"
# Of its processors a notebook is guaranteed this much, and gets the rest where nobody else wants it; its memory is
# guaranteed whole unless mem_guarantee is set.
c.KubeNotebookSpawner.cpu_guarantee = 0.1
# The volume of a notebook whose profile says nothing of it (`kubernetes: {size, storage_class}`).
c.KubeNotebookSpawner.storage_capacity = "10Gi"

notebooks(
    c,
    ledger=os.environ.get("NOTEBOOKS_LEDGER", f"sqlite:///{state / 'ledger.sqlite'}"),
    # A folder's bytes go through services/agents; an S3 must be reachable from the pods.
    store=os.environ.get("NOTEBOOKS_STORE", f"file://{state / 'store'}"),
    store_options=json.loads(os.environ.get("NOTEBOOKS_STORE_OPTIONS", "{}")),
    profiles=os.environ["NOTEBOOKS_PROFILES"],
    agents_url=f"http://{address}:{os.environ['NOTEBOOKS_PORT_AGENTS']}/services/agents",
    pages_url=f"http://127.0.0.1:{os.environ['NOTEBOOKS_PORT_NOTEBOOKS']}",
    agents_api_token=f"file:{secrets / 'agents-token'}",
    signing_key=f"file:{secrets / 'signing-key'}",
    # The claims of notebooks that are deleted for good are removed from the namespace; `kubernetes:*`: from all of them,
    # where each user has one (c.KubeSpawner.enable_user_namespaces) and the role lets the Hub list and delete them there.
    volumes=f"kubernetes:{namespace}",
    # What this cluster can do. gpu_kinds: its GPUs by the names that flavors use: ["T4"].
    abilities={
        "name": "kubernetes",
        "images": True,
        "limits_cpu": True,
        "limits_memory": True,
        "gpu_kinds": [],
    },
)

# --- What `up` itself may do at the Hub -------------------------------------------------------------------------

let_up_act(c, (secrets / "up-token").read_text().strip())
