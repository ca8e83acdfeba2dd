"""Signing in to the review desk: passwords, sessions, forms, roles, the reverse proxy, headers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from desk_made import PASSWORD, REAL_HASHER, csrf_of, desk, people, sign_in

from qc.errors import ConfigurationError
from reports.store import access
from reports.store import desk_schema as d


def test_nothing_is_shown_to_somebody_who_is_not_signed_in(store):
    client = desk(store)
    for path in ("/", "/day/2026-11-25", "/audit", "/devices", "/settings", "/study/1", "/evidence/1.png"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login"), path
    assert client.get("/api/v1/days").status_code == 401
    assert client.get("/metrics").status_code == 401
    assert client.get("/healthz").json() == {"status": "ok"}


def test_the_first_person_comes_in_once(store):
    client = desk(store, first_secret="s3cret")
    assert client.get("/first/guess").status_code == 404
    assert "at least 12" in client.get("/first/s3cret").text
    form = {"login": "Anna", "name": "Anna Beispiel", "password": "too short", "again": "too short"}
    assert client.post("/first/s3cret", data=form).status_code == 400
    form |= {"password": PASSWORD, "again": PASSWORD + "!"}
    assert "differ" in client.post("/first/s3cret", data=form).text
    answer = client.post("/first/s3cret", data=form | {"again": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Anna Beispiel, administrator" in client.get("/settings").text
    assert desk(store, first_secret="s3cret").get("/first/s3cret").status_code == 404
    assert [entry.what for entry in store.audit()] == ["session.begin", "person.add"]


def test_cookie_and_headers(store):
    people(store)
    client = desk(store)
    answer = sign_in(client, "vera")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    secret = cookie.partition("=")[2].partition(";")[0]
    with store.reading() as connection:
        kept = connection.execute(d.session.select()).mappings().one()
    assert secret not in str(kept), "only a hash is kept"
    page = client.get("/day/2026-11-25")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert " style=" not in page.text
    assert (page.headers["x-frame-options"], page.headers["cache-control"]) == ("DENY", "no-store")
    over_https = desk(store, secure=True, base="https://testserver")
    assert sign_in(over_https, "vera").headers["set-cookie"].startswith("__Host-pacsqc=")
    assert "strict-transport-security" in over_https.get("/login").headers


def test_wrong_passwords_have_to_wait(store):
    people(store)
    client = desk(store)
    for _ in range(5):
        assert sign_in(client, "vera", "wrong wrong wrong").status_code == 401
    answer = sign_in(client, "vera")
    assert answer.status_code == 429, "the right password does not help now"
    assert int(answer.headers["retry-after"]) > 600
    assert sign_in(client, "berta").status_code == 303, "others are not kept out"
    assert [entry.what for entry in store.audit()].count("session.refused") == 5


def test_nobody_learns_who_there_is(store):
    people(store)
    client = desk(store)
    answers = [sign_in(client, name, "wrong wrong wrong") for name in ("vera", "nobody")]
    assert answers[0].status_code == answers[1].status_code == 401
    assert all("Login or password is wrong" in answer.text for answer in answers)


@pytest.mark.parametrize("target", ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere(store, target):
    people(store)
    assert sign_in(desk(store), "vera", next=target).headers["location"] == "/"


def test_forms_of_other_sites_are_refused(store):
    people(store)
    client = desk(store)
    sign_in(client, "anna")
    assert client.post("/logout", data={"csrf": "guess"}).status_code == 403
    assert client.post("/logout").status_code == 403
    good = {"csrf": csrf_of(client)}
    assert client.post("/logout", data=good, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.post("/logout", data=good).status_code == 303
    assert client.get("/settings").status_code == 303, "signed out"
    assert client.post("/login", data={"login": "anna", "password": PASSWORD, "csrf": "guess"}).status_code == 403


def test_sessions_end(store):
    people(store)
    client = desk(store, idle=timedelta(0))
    sign_in(client, "vera")
    assert client.get("/settings").status_code == 303
    client = desk(store)
    sign_in(client, "vera")
    assert client.get("/settings").status_code == 200
    with store.writing() as connection:
        access.change_person(connection, "vera", "anna", active=False, why="left")
    assert client.get("/settings").status_code == 303
    assert sign_in(client, "vera").status_code == 401


def test_somebody_must_stay_administrator(store):
    people(store)
    with store.writing() as connection, pytest.raises(ConfigurationError, match="only administrator"):
        access.change_person(connection, "anna", "anna", role="viewer")


def test_the_trusted_proxy_names_people(store):
    people(store)
    named = {"x-remote-user": "Vera"}
    assert desk(store, proxy_header="X-Remote-User", proxies=("10.0.0.1",)).get("/settings", headers=named).status_code == 303, (
        "not trusted"
    )
    assert desk(store).get("/settings", headers=named).status_code == 303, "not switched on"
    client = desk(store, proxy_header="X-Remote-User", proxies=("testclient",))
    assert "Vera Muster, viewer" in client.get("/settings", headers=named).text
    assert client.get("/settings", headers={"x-remote-user": "Stranger"}).status_code == 403
    welcoming = desk(store, proxy_header="X-Remote-User", proxies=("testclient",), proxy_role="viewer")
    assert "stranger, viewer" in welcoming.get("/settings", headers={"x-remote-user": "Stranger"}).text
    assert welcoming.get("/settings").status_code == 200, "the session holds"
    assert "Vera Muster" in welcoming.get("/settings", headers=named).text, "another person, another session"


def test_only_known_host_names_are_answered(store):
    client = desk(store, hosts=("127.0.0.1", "desk.hospital.example"))
    assert client.get("/healthz").status_code == 421
    assert client.get("/healthz", headers={"host": "desk.hospital.example:8443"}).status_code == 200
    assert desk(store).get("/healthz").status_code == 200


def test_large_bodies_are_refused(store):
    assert desk(store).post("/login", content=b"x" * ((4 << 20) + 1)).status_code == 413


def test_tokens_read_and_end(store):
    people(store)
    with store.writing() as connection:
        secret = access.add_token(connection, "vera", "dashboard", 30, "anna")
    client = desk(store)
    good = {"authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/days", headers=good).status_code == 200
    assert client.get("/metrics", headers=good).status_code == 200
    assert client.get("/api/v1/audit", headers=good).status_code == 403, "a viewer reads no audit log through the API"
    assert client.get("/api/v1/days", headers={"authorization": "Bearer pacsqc_guess"}).status_code == 401
    with store.writing() as connection:
        (row,) = access.tokens(connection)
        assert secret not in str(row)
        access.revoke_token(connection, row.id, "anna")
    assert client.get("/api/v1/days", headers=good).status_code == 401


@pytest.mark.parametrize("password", ["short", "berta.musterberta.muster", "aaaaaaaaaaaaaaa", "x" * 201])
def test_passwords_that_will_not_do(password):
    with pytest.raises(ConfigurationError):
        access.hash_password(password, "berta.muster")


def test_passwords_are_kept_as_rfc_9106_says():
    """Its second recommended option, for little memory: argon2id, 3 passes, 4 lanes, 64 MiB."""
    assert REAL_HASHER().hash(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
