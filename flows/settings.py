"""Settings: one file, ``pacsqc.toml``, and the environment; everything has a default.

A key of the file is ``[section] key``, its environment variable ``PACSQC_SECTION_KEY``; the environment wins. Secrets come
only from the environment. Whatever is wrong is one `ConfigurationError` with all problems.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import secrets
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import SecretStr, SerializeAsAny, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from flows import source_settings
from flows.sections import Alerts, Checks, Data, Database, Inbox, Phantoms, Receiver, Run, Section, Site, Trends, Upkeep, Web
from flows.source_sections import SourceSection
from qc.errors import ConfigurationError

FILE = "pacsqc.toml"
PREFIX = "PACSQC_"
NOT_SETTINGS = {"PACSQC_CONFIG", "PACSQC_REAL_DATA"}  # names of the prefix that mean something else
_PASSWORD = re.compile(r"^([a-z0-9+]+://[^:/@]+:)[^@/]+@", re.IGNORECASE)


class Settings(BaseSettings):
    """All settings, checked."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        env_ignore_empty=True,
        enable_decoding=False,
    )

    data: Data = Data()
    database: Database = Database()
    inbox: Inbox = Inbox()
    site: Site = Site()
    checks: Checks = Checks()
    phantoms: Phantoms = Phantoms()
    trends: Trends = Trends()
    run: Run = Run()
    alerts: Alerts = Alerts()
    receiver: Receiver = Receiver()
    upkeep: Upkeep = Upkeep()
    web: Web = Web()
    sources: tuple[SerializeAsAny[SourceSection], ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        **_: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file (which comes as arguments)."""
        return env_settings, init_settings

    @property
    def inbox_folder(self) -> Path:
        return self.inbox.folder or self.data.folder / "inbox"

    @property
    def received_folder(self) -> Path:
        return self.receiver.folder or self.data.folder / "received"

    @property
    def spool_folder(self) -> Path:
        return self.data.folder / "spool"

    @property
    def reports_folder(self) -> Path:
        return self.data.folder / "reports"

    @property
    def database_url(self) -> str:
        return self.database.url.get_secret_value() or f"sqlite:///{(self.data.folder / 'results.sqlite').absolute()}"

    @property
    def alert_routes(self) -> dict[str, tuple[str, ...]]:
        """Who is told of what: targets by status, those under the empty name of everything. Empty: nobody is told."""
        found = {"": self.alerts.urls, "fail": self.alerts.urls_fail, "error": self.alerts.urls_error, "warn": self.alerts.urls_warn}
        return {name: urls for name, one in found.items() if (urls := tuple(one.get_secret_value().split()))}

    @property
    def alert_urls(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(url for some in self.alert_routes.values() for url in some))


SECTIONS: dict[str, type[Section]] = {name: one.annotation for name, one in Settings.model_fields.items() if name != "sources"}  # type: ignore[misc]
SECRETS = [(name, key) for name, model in SECTIONS.items() for key, one in model.model_fields.items() if one.json_schema_extra["secret"]]


def environment_name(section: str, key: str) -> str:
    """Return the environment variable of a key."""
    return f"{PREFIX}{section}_{key}".upper()


def given(file: Path | None = None) -> bool:
    """Tell whether anything is set at all, by a file or the environment."""
    return _file(file) is not None or any(_is_ours(name) for name in os.environ)


def load(file: Path | None = None) -> Settings:
    """Read the settings.

    Parameters
    ----------
    file
        The settings file; None: the one that PACSQC_CONFIG names, else ``pacsqc.toml`` in the current folder, if it is there.

    Raises
    ------
    ConfigurationError
        All problems at once; each names file or variable, key, value and what is allowed.
    """
    path = _file(file)
    table, problems = _read(path) if path else ({}, [])
    shown = path.name if path else FILE
    sources, wrong = source_settings.read(table.pop("sources", []), shown)
    problems += wrong
    problems += _unknown_variables()
    try:
        settings = Settings(**table, sources=sources)
    except ValidationError as error:
        problems += [words for one in error.errors() if (words := _in_words(one, shown))]
    if problems:
        raise ConfigurationError(problems)
    return _anchored(settings, path.parent if path else Path())


def _file(file: Path | None) -> Path | None:
    named = file or (Path(os.environ["PACSQC_CONFIG"]) if os.environ.get("PACSQC_CONFIG") else None)
    if named is None:
        return Path(FILE) if Path(FILE).is_file() else None
    if not named.is_file():
        raise ConfigurationError(f"there is no settings file {str(named)!r}; `pacsqc settings > {FILE}` writes one with the defaults")
    return named


def _read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Read the file; take secrets and unknown sections out and say so."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        return {}, [f"{path.name}: not valid TOML: {error}"]
    problems = []
    for name in [name for name in table if name not in SECTIONS and name != "sources"]:
        allowed = (*SECTIONS, "sources")
        problems.append(f"{path.name}: unknown section [{name}]{_meant(name, allowed)}; allowed are {', '.join(allowed)}")
        del table[name]
    for name in [name for name, section in table.items() if name != "sources" and not isinstance(section, dict)]:
        problems.append(f"{path.name}: {name} must be a section, written [{name}]")
        del table[name]
    for section, key in SECRETS:
        if key in table.get(section, {}):
            del table[section][key]
            variable = environment_name(section, key)
            problems.append(f"{path.name}: {section}.{key} is a secret and must not stand in a file; set the variable {variable}")
    if _PASSWORD.match(str(table.get("database", {}).get("url", ""))):
        del table["database"]["url"]
        problems.append(
            f"{path.name}: database.url holds a password, which must not stand in a file; "
            f"set the environment variable {environment_name('database', 'url')}"
        )
    return table, problems


def _is_ours(name: str) -> bool:
    return name.upper().startswith(PREFIX) and name.upper() not in NOT_SETTINGS


def _unknown_variables() -> list[str]:
    """A variable of our prefix that is no setting is a slip of the pen; silently ignored it would do harm."""
    known = {environment_name(section, key) for section, model in SECTIONS.items() for key in model.model_fields}
    strange = sorted(name for name in os.environ if _is_ours(name) and name.upper() not in known)
    problems = [f"unknown environment variable {name}{_meant(name, known)}; `pacsqc settings` lists those there are" for name in strange]
    return problems


def _meant(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f" (did you mean {close[0]}?)" if close else ""


def _in_words(error: Any, shown: str) -> str:
    """Put an error of pydantic in a sentence that names place, key, value and what is allowed."""
    section, key = str(error["loc"][0]), str(error["loc"][1]) if len(error["loc"]) > 1 else ""
    fields = SECTIONS[section].model_fields
    variable = environment_name(section, key)
    where = variable if any(name.upper() == variable for name in os.environ) else shown
    if key not in fields:
        if where == variable:
            return ""  # said by _unknown_variables
        return f"{where}: unknown key {key!r} in [{section}]{_meant(key, fields)}; allowed are {', '.join(fields)}"
    value = "(hidden)" if _is_secret(section, key) else repr(error["input"])
    return f"{where}: {section}.{key} is {value}; allowed is {_extra(fields[key], 'allowed')}"


def _is_secret(section: str, key: str) -> bool:
    return "SecretStr" in str(SECTIONS[section].model_fields[key].annotation)


def _extra(field: Any, name: str) -> str:
    return str((field.json_schema_extra or {}).get(name, ""))


def _anchored(settings: Settings, base: Path) -> Settings:
    """Relative paths count from the folder of the settings file."""
    if base == Path():
        return settings
    data = settings.data.model_copy(update={"folder": base / settings.data.folder})
    inbox = settings.inbox.model_copy(update={"folder": base / settings.inbox.folder if settings.inbox.folder else None})
    sets = tuple(str(base / name) if name.endswith(".toml") else name for name in settings.checks.criteria)
    owned = {name: base / path for name in ("protocols", "allowed") if (path := getattr(settings.checks, name))}
    checks = settings.checks.model_copy(update={"criteria": sets, **owned})
    folder = settings.receiver.folder
    files = {name: base / path for name in ("certificate", "key", "trusted") if (path := getattr(settings.receiver, name)) is not None}
    receiver = settings.receiver.model_copy(update={"folder": base / folder if folder else None, **files})
    sources = tuple(source_settings.anchored(one, base) for one in settings.sources)
    return settings.model_copy(update={"data": data, "inbox": inbox, "checks": checks, "receiver": receiver, "sources": sources})


def parameters(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return what the settings say about single checks, as `qc.runner.Options.parameters` has it."""
    found: dict[str, dict[str, Any]] = {}
    if settings.checks.protocols:
        protocols = {"file": str(settings.checks.protocols), "site": settings.site.name}
        found |= {"protocol": protocols, "protocol.vertical": protocols}
    if settings.checks.allowed:
        found["header.conformance"] = {"allowed": str(settings.checks.allowed)}
    return found


@contextmanager
def overridden(config: Path | None = None, **values: object) -> Iterator[Settings]:
    """Read the settings with some of them overruled, as ``section_key=value``; None leaves a key alone.

    They go through the environment, so that flows see them too, which take nothing but their own parameters.
    """
    wanted = {"PACSQC_CONFIG": config.absolute() if config else None}
    wanted |= {f"{PREFIX}{name}".upper(): value for name, value in values.items()}
    before = {name: os.environ.get(name) for name, value in wanted.items() if value is not None}
    try:
        os.environ.update({name: str(wanted[name]) for name in before})
        yield load()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def rows(settings: Settings) -> list[dict[str, Any]]:
    """Return every key with its effective value (secrets masked), unit, sentence, what is allowed and its variable."""
    found = []
    for section, model in SECTIONS.items():
        for key, field in model.model_fields.items():
            value = _shown(getattr(getattr(settings, section), key))
            found.append(
                {
                    "section": section,
                    "key": key,
                    "value": "****" if value and (section, key) in SECRETS else value,
                    "default": _shown(field.default),
                    "unit": _extra(field, "unit"),
                    "sentence": field.description,
                    "allowed": _extra(field, "allowed"),
                    "variable": environment_name(section, key),
                    "secret": (section, key) in SECRETS,
                }
            )
    return found


def as_toml(rows: list[dict[str, Any]]) -> str:
    """Return rows as a settings file; secrets are named in a comment only."""
    lines = ["# Settings of pacsqc. Each key can also be set by the environment variable named behind it, which wins."]
    section = ""
    for row in rows:
        if row["section"] != section:
            section = row["section"]
            lines += ["", f"[{section}]"]
        lines.append(f"# {row['sentence']}")
        lines.append(f"# Allowed: {row['allowed']}." + (f" Unit: {row['unit']}." if row["unit"] else ""))
        value = json.dumps(row["value"], ensure_ascii=False)
        if row["secret"]:
            lines.append(f"# {row['key']}: only by {row['variable']}; now {'set' if row['value'] else 'not set'}")
        else:
            lines.append(f"{'# ' if '****' in value else ''}{row['key']} = {value}  # {row['variable']}")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        return _PASSWORD.sub(r"\1****@", text) if "://" in text else "****" * bool(text)
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, tuple):
        return [one.isoformat() if isinstance(one, date) else one for one in value]
    return "" if value is None else value


def site_key(settings: Settings) -> bytes:
    """Return the key of the hashes: from the environment, else from the data folder, where it is made once (mode 0600)."""
    if settings.site.key:
        return settings.site.key.get_secret_value().encode()
    path = settings.data.folder / "site.key"
    try:
        return bytes.fromhex(path.read_text().strip())
    except FileNotFoundError:
        pass
    except ValueError as error:
        raise ConfigurationError(f"{path.name} in the data folder is damaged; restore it, or all hashes change") from error
    settings.data.folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".site.key.{os.getpid()}.{secrets.token_hex(4)}")  # threads of one process may come at once
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32) + "\n")
    try:
        os.link(draft, path)  # whole or not at all, and only the first of two
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return bytes.fromhex(path.read_text().strip())
