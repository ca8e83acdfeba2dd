"""Patients without their names: keyed hashes, and when two records mean one person."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from functools import lru_cache

from qc.study import Instance

SHORT = 10
_STAND_IN = re.compile(
    r"^(anon\w*|tests?|testing|test ?(patient|case|image|name)?\d*|qa|qc|q a|unknown|unk|no ?name|none|null|dummy|patient|doe (john|jane)|"
    r"(john|jane) doe|n/?a|x{3,}|0+|9{4,}|12345\d*)( (anon\w*|test\w*|patient|unknown|x+|[0-9]+))*$"
)


_PHANTOM = re.compile(r"phantom|\b(acr|qa|qc|test|catphan|water|uniform|daily|weekly|service)\b")


def normalise(text: object) -> str:
    """Return a name or ID without case, accents, repeated blanks and trailing separators."""
    plain = unicodedata.normalize("NFKD", str(text or "")).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    plain = plain.split("=")[0]
    return re.sub(r"[\s^,]+", " ", plain).strip()


def keyed_hash(key: bytes, *parts: object) -> str:
    """Return a short keyed hash (HMAC-SHA-256, 10 hexadecimal digits) of the normalised parts."""
    message = "\x1f".join(normalise(part) for part in parts).encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:SHORT]


def patient_key(instance: Instance) -> tuple[str, str]:
    """Return (patient ID, issuer) normalised; both may be empty."""
    return normalise(instance.get("PatientID")), normalise(instance.get("IssuerOfPatientID"))


def patient_hash(instance: Instance, key: bytes) -> str:
    """Return the hash that stands for the patient of an instance in every output."""
    return keyed_hash(key, instance.get("PatientID") or instance.get("PatientName") or "")


def name_is_readable(instance: Instance) -> bool:
    """Tell whether the name may be compared: its character set was a defined term."""
    return not instance.has("header.character_set")


@lru_cache(maxsize=4096)
def stands_in(text: str) -> bool:
    """Tell whether a name or ID is a stand-in for one that is not known.

    >>> stands_in("ANON^0042"), stands_in("Tester^Jane"), stands_in("0000")
    (True, False, True)
    """
    return bool(_STAND_IN.match(normalise(text)))


@lru_cache(maxsize=4096)
def names_phantom(text: str) -> bool:
    """Tell whether a name or ID is that of a phantom or a test: many of them share it, and what differs means nothing.

    >>> names_phantom("PHANTOM^FLOOD"), names_phantom("QA-WATER"), names_phantom("Waters^Ann")
    (True, True, False)
    """
    return bool(_PHANTOM.search(normalise(text).replace("_", " ")))
