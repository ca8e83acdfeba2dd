"""The review desk as tests ask it: a client, people of every role, and the way through the sign-in form."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import argon2
from starlette.testclient import TestClient

from reports.store import Store, access
from reports.web.app import create_app
from reports.web.config import Config

PASSWORD = "correct horse battery"
PEOPLE = {"anna": "administrator", "phil": "physicist", "berta": "technologist", "vera": "viewer"}

REAL_HASHER = access._hasher
access._hasher = cache(lambda: argon2.PasswordHasher(1, 8, 1))  # a real hash takes a fifth of a second, on purpose


def people(store: Store) -> None:
    """Somebody of every role; all have one password, hashed once."""
    hashed = access.hash_password(PASSWORD)
    with store.writing() as connection:
        for login, role in PEOPLE.items():
            access.add_person(connection, login, f"{login.title()} Muster", role, None, "test")
        connection.execute(access.d.person.update().values(password=hashed))


def desk(store: Store, *, base: str = "http://testserver", **config: Any) -> TestClient:
    return TestClient(create_app(store, Config(**config)), base_url=base, follow_redirects=False)


def sign_in(client: TestClient, login: str, password: str = PASSWORD, next: str = "/") -> Any:
    form = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
    assert form
    return client.post("/login", data={"login": login, "password": password, "csrf": form[1], "next": next})


def csrf_of(client: TestClient, path: str = "/settings") -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)
    assert found, path
    return found[1]


def signed_in(store: Store, login: str = "phil", **config: Any) -> TestClient:
    client = desk(store, **config)
    assert sign_in(client, login).status_code == 303
    return client
