"""What a kubeconfig says, read by kubectl, which knows all of its ways to name a key."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .api import Api


@dataclass(frozen=True)
class Kubeconfig:
    """Its current cluster and user. authority, certificate, key: as PEM, '' where there is none."""

    server: str
    authority: str
    certificate: str
    key: str
    token: str

    def api(self) -> Api:
        """Requests as that user."""
        where = urlsplit(self.server)
        with tempfile.TemporaryDirectory(prefix="kubeconfig-") as made:
            files = {}
            for name in ("authority", "certificate", "key"):
                files[name] = Path(made) / name
                files[name].touch(mode=0o600)
                files[name].write_text(getattr(self, name))
            own = (str(files["certificate"]), str(files["key"])) if self.certificate else ("", "")
            return Api(where.hostname or "", where.port or 443, files["authority"], *own, token=self.token)


def kubectl(program: str, path: Path, *arguments: str) -> list[str]:
    """The command. program: kubectl, or the one program that is every part of Kubernetes."""
    part = [] if Path(program).name == "kubectl" else ["kubectl"]
    return [program, *part, "--kubeconfig", str(path), *arguments]


def read(program: str, path: Path) -> Kubeconfig:
    told = subprocess.run(
        kubectl(program, path, "config", "view", "--raw", "--flatten", "--minify", "-o", "json"),
        capture_output=True,
        text=True,
        check=True,
    )
    raw = json.loads(told.stdout)
    cluster, user = raw["clusters"][0]["cluster"], raw["users"][0]["user"]

    def plain(held: dict[str, str], name: str) -> str:
        return base64.b64decode(held.get(f"{name}-data", "")).decode()

    return Kubeconfig(
        server=str(cluster["server"]),
        authority=plain(cluster, "certificate-authority"),
        certificate=plain(user, "client-certificate"),
        key=plain(user, "client-key"),
        token=str(user.get("token", "")),
    )
