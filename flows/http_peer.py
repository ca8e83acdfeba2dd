"""How an archive is reached over HTTP: address, secrets by name, certificates, time-outs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import requests

from qc.errors import ConfigurationError


@dataclass(frozen=True)
class HttpPeer:
    """An archive that is talked to over HTTP.

    Attributes
    ----------
    token_variable, user_variable, password_variable
        Names of environment variables that hold the bearer token, or user and password. Secrets stand nowhere else.
    certificate, key, trusted
        Our certificate, its key, and the certificates that the archive's is checked against; None: those of the system.
    """

    name: str
    url: str
    token_variable: str = ""
    user_variable: str = ""
    password_variable: str = ""
    certificate: Path | None = None
    key: Path | None = None
    trusted: Path | None = None
    connect_s: float = 10.0
    answer_s: float = 120.0

    def session(self) -> requests.Session:
        """Return an HTTP session that has what the archive wants to see.

        Raises
        ------
        ConfigurationError
            If an environment variable is not set.
        """
        one = requests.Session()
        if self.token_variable:
            one.headers["Authorization"] = f"Bearer {self._secret(self.token_variable)}"
        elif self.user_variable:
            one.auth = (self._secret(self.user_variable), self._secret(self.password_variable))
        if self.certificate is not None:
            one.cert = (str(self.certificate), str(self.key)) if self.key is not None else str(self.certificate)
        if self.trusted is not None:
            one.verify = str(self.trusted)
        return one

    def _secret(self, variable: str) -> str:
        value = os.environ.get(variable, "")
        if not value:
            raise ConfigurationError(f"{self.name}: the environment variable {variable!r} is not set")
        return value
