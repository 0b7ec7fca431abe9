"""Passwords: made from random words' worth of bits, kept only as a salted scrypt hash.

Promises: a hash says how it was made, so that its cost can be raised later; checking takes the same time
for a wrong password, and for a name that does not exist (``DUMMY``).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import os
import secrets

# 32 MiB and about a quarter of a second: OWASP's password storage sheet lists these as equal in strength
# to N=2^17, r=8, p=1, with a quarter of the memory.
LOG_N, R, P = 15, 8, 3
LENGTH = 32
LONGEST_BYTES = 1024
#: No look-alikes: this is read from a screen and typed.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


def generate() -> str:
    """A new password: four groups of five characters, 100 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(4))


def hash_password(password: str) -> str:
    """``scrypt$15$8$3$salt$hash``, a new one at each call."""
    salt = os.urandom(16)
    return "$".join(
        ["scrypt", str(LOG_N), str(R), str(P), _text(salt), _text(_scrypt(password, salt, LOG_N, R, P))]
    )


def verify(password: str, hashed: str) -> bool:
    """Whether the hash is of this password. False for a hash that cannot be read."""
    try:
        kind, log_n, r, p, salt, wanted = hashed.split("$")
        if kind != "scrypt" or not 10 <= int(log_n) <= 20:
            return False
        found = _scrypt(password, base64.b64decode(salt), int(log_n), int(r), int(p))
        right = hmac.compare_digest(found, base64.b64decode(wanted))
    except ValueError:
        return False
    return right and len(password.encode()) <= LONGEST_BYTES


@functools.cache
def dummy() -> str:
    """A hash of nothing anybody knows: checked for names that do not exist, so that they take as long."""
    return hash_password(secrets.token_hex(16))


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass")[: LONGEST_BYTES + 1],
        salt=salt,
        n=2**log_n,
        r=r,
        p=p,
        maxmem=2 * 128 * r * 2**log_n,
        dklen=LENGTH,
    )


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
