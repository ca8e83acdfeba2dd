"""`pacsqc web`: the review desk, and who may use it."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands import Csv, DataFolder, Json, check_forms, group, print_rows, refuse
from flows.voice import errors_in_words
from qc.errors import ConfigurationError

if TYPE_CHECKING:
    from flows.settings import Settings

app = typer.Typer(invoke_without_command=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
user = group("People who may use the review desk. Changes are logged with your login name.")
token = group("Tokens with which programs read the JSON API. Changes are logged with your login name.")
app.add_typer(user, name="user", short_help="People: add, list, change, set a password.")
app.add_typer(token, name="token", short_help="Tokens for programs: add, list, revoke.")

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="How the person signs in: a to z, 0 to 9, . _ @ -")]
ROLES = "viewer, technologist, physicist or administrator"


@app.callback(short_help="The review desk: pages for every morning, in the browser.")
def web(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on, in place of web.host of the settings.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port, in place of web.port; 0: any free one.")] = None,
    data: DataFolder = None,
) -> None:
    """Show the review desk: worklists, studies with their pictures, control charts, test sheets, sign-off, audit log.

    It listens on this machine alone unless told otherwise, and runs until it is stopped (Ctrl-C). Where nobody has been
    added yet, it prints a link with which the first person becomes administrator.

    \b
    Examples:
      pacsqc web
      pacsqc web --port 8080 --data /var/lib/pacsqc
      pacsqc web user add anna --name "Anna Beispiel" --role physicist
    """
    if context.invoked_subcommand is None:
        from flows import desk, outcome, settings

        with errors_in_words(), settings.overridden(context.obj, data_folder=data, web_host=host, web_port=port) as chosen:
            outcome.check_data_folder(chosen)
            desk.serve(chosen)


def _settings(context: typer.Context, data: DataFolder) -> Any:
    from flows import settings

    return settings.overridden(context.obj, data_folder=data)


def _store(chosen: Settings) -> Any:
    from flows import daily, outcome

    outcome.check_data_folder(chosen)
    return daily.open_for(chosen)


def _ask_password() -> str:
    """Ask for a password twice on a terminal, else read one line of standard input: it stands in no command line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != first:
        raise ConfigurationError("the two passwords differ; nothing was changed")
    return first


@user.command("add", short_help="Add somebody.")
def user_add(
    context: typer.Context,
    login: Login,
    name: Annotated[str, typer.Option(help="Name, as signatures show it.")],
    role: Annotated[str, typer.Option(help=f"{ROLES}: each may do what those before it may.")] = "viewer",
    proxy: Annotated[bool, typer.Option("--proxy", help="Without a password: the person comes through the trusted reverse proxy.")] = False,
    data: DataFolder = None,
) -> None:
    """Add somebody. The password is asked for on the terminal, or read from standard input.

    \b
    Examples:
      pacsqc web user add anna --name "Anna Beispiel" --role physicist
      pacsqc web user add bert --name "Bert Muster" --role technologist --proxy
    """
    from flows.who import login as who
    from reports.store import access

    with errors_in_words(), _settings(context, data) as chosen, _store(chosen) as store:
        password = None if proxy else _ask_password()
        if password == "":
            raise ConfigurationError("no password was given; use --proxy for somebody who signs in elsewhere")
        with store.writing() as connection:
            person = access.add_person(connection, login, name, role, password, who())
        typer.echo(f"{person.name} ({person.login}) may use the desk as {person.role}.")


@user.command("list", short_help="Who may use the desk.")
def user_list(context: typer.Context, data: DataFolder = None, as_json: Json = False, as_csv: Csv = False) -> None:
    """List who may use the desk.

    \b
    Example:
      pacsqc web user list
    """
    from flows.terminal import safe, table
    from reports.store import access

    with errors_in_words(), _settings(context, data) as chosen, _store(chosen) as store:
        refuse(check_forms(as_json, as_csv))
        with store.reading() as connection:
            people = access.people(connection)
    rows = [{"login": one.login, "name": one.name, "role": one.role, "active": one.active, "password": one.has_password} for one in people]
    lines = [(one.login, safe(one.name), one.role, "" if one.active else "ended", "" if one.has_password else "by proxy") for one in people]
    print_rows(rows, as_json, as_csv, table([("LOGIN", "NAME", "ROLE", "", ""), *lines]) if lines else "Nobody yet.\n")


@user.command("change", short_help="Another role; end or restore access.")
def user_change(
    context: typer.Context,
    login: Login,
    role: Annotated[str | None, typer.Option(help=f"{ROLES}.")] = None,
    active: Annotated[bool | None, typer.Option("--restore/--end", help="Restore or end access; ending it signs the person out.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the log of changes.")] = "",
    data: DataFolder = None,
) -> None:
    """Give somebody another role, or end or restore their access. Nobody is ever deleted: signatures keep their names.

    \b
    Examples:
      pacsqc web user change bert --role physicist
      pacsqc web user change anna --end --reason "left the department"
    """
    from flows.who import login as who
    from reports.store import access

    with errors_in_words(), _settings(context, data) as chosen, _store(chosen) as store:
        with store.writing() as connection:
            person = access.change_person(connection, login, who(), role=role, active=active, why=reason)
        typer.echo(f"{person.name} ({person.login}): {person.role}{'' if person.active else ', access ended'}.")


@user.command("password", short_help="Set somebody's password.")
def user_password(context: typer.Context, login: Login, data: DataFolder = None) -> None:
    """Set somebody's password; it is asked for on the terminal, or read from standard input. Their sessions end.

    \b
    Example:
      pacsqc web user password anna
    """
    from flows.who import login as who
    from reports.store import access

    with errors_in_words(), _settings(context, data) as chosen, _store(chosen) as store:
        password = _ask_password()
        with store.writing() as connection:
            access.set_password(connection, login, password, who())
        typer.echo("The password is set.")


@token.command("add", short_help="Make a token; it is shown this once.")
def token_add(
    context: typer.Context,
    login: Login,
    label: Annotated[str, typer.Option(help="What it is for.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days it holds.")] = 365,
    data: DataFolder = None,
) -> None:
    """Make a token that reads what a person may read. It is printed this once; only a hash of it is kept.

    \b
    Example:
      pacsqc web token add anna --label "dashboard in the control room" --days 90
    """
    from flows.who import login as who
    from reports.store import access

    with errors_in_words(), _settings(context, data) as chosen, _store(chosen) as store:
        with store.writing() as connection:
            secret = access.add_token(connection, login, label, days, who())
        typer.echo(secret)


@token.command("list", short_help="Which tokens there are.")
def token_list(context: typer.Context, data: DataFolder = None, as_json: Json = False, as_csv: Csv = False) -> None:
    """List the tokens: number, what for, whose, until when.

    \b
    Example:
      pacsqc web token list
    """
    from flows.terminal import safe, table
    from reports.store import access

    with errors_in_words(), _settings(context, data) as chosen, _store(chosen) as store:
        refuse(check_forms(as_json, as_csv))
        with store.reading() as connection:
            found = access.tokens(connection)
    rows = [
        {
            "id": one.id, "label": one.label, "login": one.login, "ends_at": one.ends_at.isoformat() if one.ends_at else "",
            "revoked": one.revoked_at is not None,
        }
        for one in found
    ]  # fmt: skip
    lines = [(str(r["id"]), safe(str(r["label"])), r["login"], str(r["ends_at"])[:10], "revoked" if r["revoked"] else "") for r in rows]
    print_rows(rows, as_json, as_csv, table([("NO", "FOR", "WHOSE", "UNTIL", ""), *lines]) if lines else "No tokens yet.\n")


@token.command("revoke", short_help="Make a token useless.")
def token_revoke(
    context: typer.Context, number: Annotated[int, typer.Argument(metavar="NO", help="Number of the token.")], data: DataFolder = None
) -> None:
    """Make a token useless, at once.

    \b
    Example:
      pacsqc web token revoke 3
    """
    from flows.who import login as who
    from reports.store import access

    with errors_in_words(), _settings(context, data) as chosen, _store(chosen) as store:
        with store.writing() as connection:
            access.revoke_token(connection, number, who())
        typer.echo(f"Token {number} is revoked.")
