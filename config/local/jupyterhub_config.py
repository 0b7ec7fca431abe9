"""JupyterHub's configuration for the embedded default: one machine, nothing installed beside it.

`jupyterhub-notebooks up` runs it. To change something, copy this file, edit the copy, and start with

    jupyterhub-notebooks up --config /path/to/your/jupyterhub_config.py

`jupyterhub-notebooks up --check --config …` says what is wrong with it before anything runs. Every
variable NOTEBOOKS_… is set by `up`: addresses that stay the same from start to start, and the folder in
which everything is kept.
"""

import os
from pathlib import Path

from jupyterhub_notebooks.configure import let_up_act, notebooks

c = get_config()  # type: ignore[name-defined]  # noqa: F821

state = Path(os.environ["NOTEBOOKS_STATE"])
secrets = state / "secrets"


def address(name):
    """An address of this machine only. Nothing here listens on another one."""
    return f"http://127.0.0.1:{os.environ[f'NOTEBOOKS_PORT_{name}']}"


# --- The Hub: where it listens, what it keeps -----------------------------------------------------------

# People come through the proxy at this address; only it is meant for browsers.
c.JupyterHub.bind_url = os.environ["NOTEBOOKS_URL"]
c.JupyterHub.hub_bind_url = address("HUB")
c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(secrets / "cookie-secret")

# The proxy is a child of `up`, not of the Hub, so that open notebooks stay reachable while the Hub restarts.
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = address("PROXY")
c.ConfigurableHTTPProxy.auth_token = (secrets / "proxy-token").read_text().strip()

# --- Who may log in -------------------------------------------------------------------------------------

# One password per user, made with `jupyterhub-notebooks user add NAME`; administrators with `--admin`. Any
# other authenticator of JupyterHub works too: set its class here.
c.JupyterHub.authenticator_class = "notebooks-passwords"

# --- Notebooks ------------------------------------------------------------------------------------------

notebooks(
    c,
    # Our own database: who owns what, what ran, what was saved.
    # PostgreSQL: ledger="env:NOTEBOOKS_LEDGER", with postgresql+psycopg://user:password@host/name in it.
    ledger=f"sqlite:///{state / 'ledger.sqlite'}",
    # Where workspaces are saved. An S3: store="s3://bucket/prefix", and
    # store_options={"endpoint_url": "https://…", "region": "…", "key": "env:S3_KEY", "secret": "env:S3_SECRET"}
    # with both variables set for `up` (or "file:/path"); no notebook ever sees them. More options:
    #   "ca_file": "/path/ca.pem"     where an own authority signed the server's certificate
    #   "addressing": "virtual"       where the bucket stands in the host name
    #   "put_key", "put_secret"       a second identity that may do s3:PutObject below bucket/prefix and nothing else:
    #                                 needed where the store copies what a signed PUT names (MinIO, among others)
    #   "conditional": "none"         for a store without If-None-Match: commits then go through the ledger alone
    # The first start checks thirteen things that saving relies on and names what the store lacks;
    # `jupyterhub-notebooks store validate` does it again.
    store=f"file://{state / 'store'}",
    # Where the files of notebooks lie on this machine; those of notebooks that are deleted for good are removed.
    volumes=str(state / "volumes"),
    # Encrypt workspaces before anything leaves the machine. Make the key with `jupyterhub-notebooks key make FILE` and
    # keep a copy elsewhere: without it no encrypted workspace is read again. Notebooks that were saved before stay as
    # they are until `jupyterhub-notebooks key encrypt [USER/]NOTEBOOK`.
    # encryption_key="file:/path/of/the/key",
    # What may be started. An edited file is taken up without a restart.
    profiles=os.environ["NOTEBOOKS_PROFILES"],
    # Addresses and secrets that `up` made.
    agents_url=address("AGENTS") + "/services/agents",
    pages_url=address("NOTEBOOKS"),
    agents_api_token=f"file:{secrets / 'agents-token'}",
    signing_key=f"file:{secrets / 'signing-key'}",
    # Who may use notebooks: "everyone", or the members of one group of the Hub, "group:NAME".
    # users="group:data-science",
    # Administrators of the Hub see and stop all notebooks; False leaves that to the groups named.
    # hub_admins=False,
    # admin_groups=["notebook-admins"],
    # Whom to ask: stands in every refusal.
    # contact="Platform team, platform@example.org",
    # How often a running notebook is saved, and how long a save at the end may take while it makes progress.
    # save_interval_seconds=300,
    # save_timeout_seconds=3600,
    # What idle stops and session limits do: stop, observe (each stop that would have been is recorded), off.
    # enforcement="stop",
    # Other limits than a profile's, for a user, a group, or everyone whose profile says nothing; "0" is none.
    # limits={"group:training": {"idle_stop": "2h", "max_session": "0"}, "user:mara": {"enforcement": "observe"}},
    # Which snapshots stay: all of so many hours, one a day, one a week; a profile may say otherwise, named ones always stay.
    # retention={"hours": 24, "days": 30, "weeks": 12},
    # A notebook on another profile whose rule keeps less: so many days after its first start there that rule holds.
    # retention_wait_days=7,
    # How long a deleted notebook can be put back.
    # trash_days=30,
)

# --- Where notebooks run --------------------------------------------------------------------------------

# Local processes of the account that runs `up`: all users share it, so this is for one person or for
# people who trust each other. The files of running notebooks lie here; what is saved lies in the store.
c.LocalNotebookSpawner.volumes_dir = str(state / "volumes")
c.LocalNotebookSpawner.logs_dir = str(state / "logs" / "sessions")

# --- What `up` itself may do at the Hub: stop running notebooks when it ends, remove users --------------

let_up_act(c, (secrets / "up-token").read_text().strip())
