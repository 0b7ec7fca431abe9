"""What notebooks in containers share, whoever runs the containers: where things lie in one, and what its agent is told."""

from __future__ import annotations

from traitlets import Unicode

from .. import __version__
from ..ledger import Session
from .base import NotebookSpawner


class ContainedSpawner(NotebookSpawner):
    """In front of DockerSpawner and KubeSpawner."""

    workspace_path = Unicode(
        "/workspace", help="Where a notebook's files lie in its container: its $HOME."
    ).tag(config=True)
    state_path = Unicode("/var/lib/notebook", help="Where the agent keeps what it knows of the volume.").tag(
        config=True
    )
    run_path = Unicode("/run/notebook", help="Sockets and temporary files of one session.").tag(config=True)
    data_path = Unicode("/data", help="The temporary volume, gone at the stop. Empty: none.").tag(config=True)
    agent_image = Unicode(
        f"notebook-base:{__version__}",
        help="The image whose agent saves notebooks of profiles with `agent: beside`, whose own image knows nothing of us.",
    ).tag(config=True)

    def agent_environment(self, session: Session) -> dict[str, str]:
        """The variables by which the agent of a session finds its service and its folders."""
        return {
            "HOME": self.workspace_path,
            "NOTEBOOK_SESSION_ID": session.id,
            "NOTEBOOK_SESSION_TOKEN": self._token,
            "NOTEBOOK_SERVICE_URL": self.settings.reachable_url,
            "NOTEBOOK_WORKSPACE": self.workspace_path,
            "NOTEBOOK_AGENT_SOCKET": f"{self.run_path}/agent.sock",
        }
