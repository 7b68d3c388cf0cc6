"""The machine's roots are found where its distribution has them, and read again when they were replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

import certifi
import pytest

from oidc_publisher.stores.s3 import authorities
from oidc_publisher.stores.s3.authorities import system_roots
from oidc_publisher.stores.s3.transport import tls_context


@pytest.fixture
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, ...]:
    """Three files of a distribution, of which the first is missing; nobody names another one."""
    found = tuple(tmp_path / name for name in ("first", "second", "third"))
    for path in found[1:]:
        shutil.copy(certifi.where(), path)
    monkeypatch.setattr(authorities, "_SYSTEM_BUNDLES", found)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing"))
    return found


def test_the_first_file_that_is_there_counts(bundles: tuple[Path, ...]) -> None:
    """Distributions have one of them."""
    assert system_roots() == str(bundles[1])


def test_a_file_that_openssl_is_told_of_counts_before_them(
    bundles: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE is how an admin names another one."""
    monkeypatch.setenv("SSL_CERT_FILE", str(bundles[2]))
    assert system_roots() == str(bundles[2])


def test_a_machine_without_any_has_none(bundles: tuple[Path, ...]) -> None:
    """Botocore brings a file of its own."""
    for path in bundles[1:]:
        path.unlink()
    assert system_roots() is None
    assert tls_context(None, None).get_ca_certs()


def test_a_file_that_was_replaced_is_read_again(bundles: tuple[Path, ...]) -> None:
    """One that was not is shared: reading it takes 50 ms."""
    before = tls_context(None, None)
    assert tls_context(None, None) is before
    shutil.copy(certifi.where(), bundles[0])
    bundles[0].replace(bundles[1])
    assert tls_context(None, None) is not before
