"""Who may speak to whom in a cluster of the tests: an authority of its own, and a certificate for each part.

Nothing speaks without a certificate, and each part has the name that Kubernetes' own roles know it by: a node may touch
its own pods, the scheduler what it schedules, and only the fixture's administrator everything.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

DAYS = datetime.timedelta(days=7)


@dataclass(frozen=True)
class Keys:
    """A folder of keys and certificates, named NAME.crt and NAME.key."""

    folder: Path
    _key: ec.EllipticCurvePrivateKey
    _name: x509.Name

    @property
    def authority(self) -> Path:
        return self.folder / "authority.crt"

    @classmethod
    def new(cls, folder: Path) -> Keys:
        folder.mkdir(mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        made = cls(folder, key, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cluster of the tests")]))
        whole = made._builder(made._name, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        _write(made.authority, whole.add_extension(usage, critical=True).sign(key, hashes.SHA256()))
        tokens = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _write_key(folder / "service-accounts.key", tokens)
        return made

    def sign(self, file: str, name: str, group: str = "", hosts: Sequence[str] = ()) -> None:
        """A certificate for name, as a member of group, and as a server at these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
        builder = self._builder(x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(one) for one in hosts]), critical=False
            )
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(by, critical=False)
        _write(self.folder / f"{file}.crt", builder.sign(self._key, hashes.SHA256()))
        _write_key(self.folder / f"{file}.key", key)

    def kubeconfig(self, file: str, server: str) -> Path:
        """A kubeconfig with which the owner of a certificate reaches the API server at a URL."""
        user = {
            "client-certificate": str(self.folder / f"{file}.crt"),
            "client-key": str(self.folder / f"{file}.key"),
        }
        return write_kubeconfig(self.folder / f"{file}.kubeconfig", server, self.authority, user)

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + DAYS)
        )


def write_kubeconfig(
    path: Path, server: str, authority: Path, user: dict[str, str], namespace: str = "default"
) -> Path:
    """A kubeconfig with one cluster and one user."""
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "tests", "cluster": {"server": server, "certificate-authority": str(authority)}}
        ],
        "users": [{"name": "tests", "user": user}],
        "contexts": [
            {"name": "tests", "context": {"cluster": "tests", "user": "tests", "namespace": namespace}}
        ],
        "current-context": "tests",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(whole, indent=1))
    return path


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
