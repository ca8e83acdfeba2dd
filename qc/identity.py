"""Patients without their names: keyed hashes, and when two records mean one person."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata

from qc.study import Instance

SHORT = 10


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
