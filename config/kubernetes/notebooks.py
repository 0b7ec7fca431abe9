"""Makes the Hub of the chart zero-to-jupyterhub one with notebooks: lies in jupyterhub_config.d of our Hub image.

The chart reads it after its own settings and before `hub.extraConfig`, so that an administrator's lines there have the
last word. What all processes agree on is NOTEBOOKS_SETTINGS (notebooks.yaml); what concerns the Hub alone stands in the
chart's values below `custom.notebooks`:

    custom:
      notebooks:
        admin_groups: [platform]      # groups of the Hub whose members see and stop everybody's notebooks
        spawner: {machine_seconds: 1200, scales: true}      # traits of KubeNotebookSpawner
"""

import json
import os

from jupyterhub_notebooks.configure import notebooks

#: The pages' port in the Hub's pod; values.yaml opens it to the proxy.
PAGES_PORT = 10202

# In the chart's files `c` is the Hub's configuration, and get_config and get_name read the chart's values and names.
hub = c  # type: ignore[name-defined]  # noqa: F821
own = get_config("custom.notebooks") or {}  # type: ignore[name-defined]  # noqa: F821
service = get_name("hub")  # type: ignore[name-defined]  # noqa: F821

for name in set(own) - {"admin_groups", "spawner"}:
    raise SystemExit(f"custom.notebooks.{name}: There is no such value. Write admin_groups or spawner.")
if not os.environ.get("NOTEBOOKS_SETTINGS"):
    raise SystemExit(
        "NOTEBOOKS_SETTINGS is not set. Give it in hub.extraEnv, from the ConfigMap of notebooks.yaml."
    )

hub.JupyterHub.spawner_class = "notebooks-kube"
notebooks(
    hub,
    **json.loads(os.environ["NOTEBOOKS_SETTINGS"]),
    pages_url=f"http://{service}:{PAGES_PORT}",
    pages_environment={"NOTEBOOKS_LISTEN": "0.0.0.0"},
    admin_groups=own.get("admin_groups") or (),
)
for name, value in (own.get("spawner") or {}).items():
    setattr(hub.KubeNotebookSpawner, name, value)
