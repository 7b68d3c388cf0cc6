"""Every case of the gallery, in the order in which a reader meets the faults: name, connection, TLS, HTTP, documents."""

from __future__ import annotations

from tests.gallery.case import Case
from tests.gallery.cases import connection, discovery, headers, http, json, keys, tls

CHAPTERS: dict[str, tuple[Case, ...]] = {
    "Name and connection": connection.CASES,
    "TLS": tls.CASES,
    "HTTP": http.CASES,
    "Headers": headers.CASES,
    "JSON": json.CASES,
    "Discovery document": discovery.CASES,
    "Key set": keys.CASES,
}
CASES: dict[str, Case] = {case.name: case for chapter in CHAPTERS.values() for case in chapter}
