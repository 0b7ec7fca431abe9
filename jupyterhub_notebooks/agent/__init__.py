"""First process of every notebook: takes the lease, restores, runs the server, saves while it runs and at its end.

Started as ``python -m jupyterhub_notebooks.agent run --state DIR --run-dir DIR [--log FILE] -- COMMAND…``.
It talks outwards only, to services/agents (contract/) and with signed addresses to storage. Standard
library until the engine is needed: every 10 ms of import stand between a click and JupyterLab.
"""
