"""Key sources as real systems write them: which keys, which numbers, in which order, and what is said of the rest."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oidc_publisher.findings import Reason
from oidc_publisher.sources import files
from tests.layouts import clusterapi, kops, kubeadm, openshift
from tests.layouts.material import kid, rsa_private_pem, rsa_public
from tests.support.sourcereading import (
    config_map,
    listed,
    planned,
    published,
    read_config_map,
    read_files,
    read_object,
    reasons,
    secret,
)

if TYPE_CHECKING:
    from tests.support.pki import PKI


def key_of(number: int) -> str:
    """The kid of the signer that OpenShift gave this number."""
    return kid(rsa_public(f"openshift-{number}"))


def signers(numbers: range) -> list[str]:
    """The signers of these rotations."""
    return [f"openshift-{number}" for number in numbers]


class TestOpenShift:
    """ConfigMap bound-sa-token-signing-certs."""

    @pytest.mark.parametrize("last", [9, 10, 99, 100, 999, 1000])
    async def test_numbers_are_numbers_across_every_change_of_digits(self, pki: PKI, last: int) -> None:
        """The newest three of `last` rotations and of one more: the highest number leads, and is the next one's follower."""
        data = openshift.after_rotations(signers(range(1, last + 2)))
        data = openshift.pruned(data, *range(1, last - 1))
        result = await read_config_map(pki, openshift.PATTERN, data)
        newest_first = [key_of(number) for number in (last + 1, last, last - 1)]
        assert listed(result) == dict(zip(newest_first, (last + 1, last, last - 1), strict=True))
        assert published(planned(result)) == newest_first
        assert (result.findings, result.reading.complete) == ((), True)

    async def test_a_thousand_rotations_without_pruning(self, pki: PKI) -> None:
        """All are listed, the newest first, and it costs little."""
        data = openshift.after_rotations(signers(range(1, 1001)))
        assert set(data) >= {"service-account-001.pub", "service-account-999.pub", "service-account-1000.pub"}
        began = time.process_time()
        result = await read_config_map(pki, openshift.PATTERN, data)
        assert time.process_time() - began < 2
        assert list(listed(result).values()) == list(range(1000, 0, -1))

    async def test_the_newest_enter_where_not_all_can(self, pki: PKI) -> None:
        """The ledger has room for 512: those that can still sign."""
        result = await read_config_map(pki, openshift.PATTERN, openshift.after_rotations(signers(range(1, 1001))))
        versions = {entry.version for entry in planned(result).ledger.keys}
        assert versions == set(range(1000 - 511, 1001))

    async def test_empty_entries_are_normal(self, pki: PKI) -> None:
        """A signer without a public key yet was written as an empty entry; it neither counts nor blocks."""
        data = openshift.after_rotations(["openshift-1", "", "openshift-3"])
        assert data["service-account-002.pub"] == ""
        result = await read_config_map(pki, openshift.PATTERN, data)
        assert listed(result) == {key_of(3): 3, key_of(1): 1}
        assert (result.findings, result.reading.complete, result.reading.unreadable) == ((), True, frozenset())

    async def test_an_entry_that_became_empty_delists_its_key(self, pki: PKI) -> None:
        """It is no failed reading."""
        data = openshift.after_rotations(["openshift-1", "openshift-2"])
        before, after = await read_object(
            pki,
            "configMap",
            openshift.PATTERN,
            config_map(data),
            config_map({**data, "service-account-001.pub": ""}),
        )
        plan = planned(after, before=planned(before).ledger, hours=1)
        assert {entry.key_id: bool(entry.origins) for entry in plan.ledger.keys} == {key_of(1): False, key_of(2): True}

    async def test_a_number_comes_again_after_pruning(self, pki: PKI) -> None:
        """Both keys are published until the pruned one retires; the later seen is the newer, and it is said."""
        first = openshift.after_rotations(signers(range(1, 4)))
        second = openshift.after_rotations(["openshift-4"], openshift.pruned(first, 3))
        assert second["service-account-003.pub"] == openshift.public_key("openshift-4")
        before, after = await read_object(pki, "configMap", openshift.PATTERN, config_map(first), config_map(second))
        plan = planned(after, before=planned(before).ledger, hours=1)
        assert published(plan) == [key_of(number) for number in (4, 3, 2, 1)]
        assert Reason.VersionReused in {finding.reason for finding in plan.findings}


MADE = [datetime(year, 3, 1, tzinfo=UTC) for year in (2019, 2026, 2044)]


class TestKOps:
    """Keysets of the service-account signer."""

    async def test_certificates_named_for_their_ids(self, pki: PKI) -> None:
        """28 digits are compared as a number, and 29 from the year 2043 on."""
        issued = kops.issued(MADE)
        assert [len(name) for name in issued] == [32, 32, 33]
        data = {name: content.decode() for name, content in issued.items()}
        result = await read_config_map(pki, kops.PATTERN, data)
        newest_first = [kid(kops.spki(made)) for made in reversed(MADE)]
        assert listed(result) == {kid(kops.spki(made)): kops.item_id(made) for made in reversed(MADE)}
        assert published(planned(result)) == newest_first
        assert result.findings == ()

    async def test_neighbours_differ_in_the_last_digit(self, pki: PKI) -> None:
        """No number passes through a float."""
        number = 7125738495725394857203948571
        data = {f"{number + step}.crt": openshift.public_key(f"kops-{step}") for step in (1, 0, 2)}
        result = await read_config_map(pki, kops.PATTERN, data)
        assert published(planned(result)) == [kid(rsa_public(f"kops-{step}")) for step in (2, 1, 0)]

    async def test_concatenated_keys_of_a_node(self, pki: PKI, tmp_path: Path) -> None:
        """Oldest first in the file, so the last one is the newest."""
        names = ["kops-a", "kops-b", "kops-c"]
        kubeadm.written(tmp_path, {"service-account.pub": kops.service_account_pub(names)})
        result = await read_files(pki, tmp_path, tmp_path)
        assert listed(result) == dict.fromkeys(kid(rsa_public(name)) for name in names)
        assert published(planned(result)) == [kid(rsa_public(name)) for name in reversed(names)]
        assert result.findings == ()


class TestKubeadm:
    """/etc/kubernetes/pki and folders like it."""

    async def test_the_folder_as_it_is(self, pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With the pattern that is there when nobody says one, sa.pub counts, and nothing else is as much as opened."""
        folder = kubeadm.written(tmp_path / "pki", kubeadm.pki())
        opened: list[str] = []
        original = files._opened

        def note(path: str, flags: int) -> int:
            opened.append(Path(path).name)
            return original(path, flags)

        monkeypatch.setattr(files, "_opened", note)
        result = await read_files(pki, tmp_path, folder, kubeadm.PATTERN)
        assert listed(result) == {kid(rsa_public("kubeadm")): None}
        assert (result.findings, opened) == ((), ["sa.pub"])

    async def test_a_file_for_each_rotation(self, pki: PKI, tmp_path: Path) -> None:
        """By number, not by name."""
        numbers = (8, 9, 10, 98, 99, 100, 999, 1000)
        folder = kubeadm.written(tmp_path / "keys", kubeadm.rotated(*numbers))
        result = await read_files(pki, tmp_path, folder, kubeadm.ROTATED_PATTERN)
        newest_first = [kid(rsa_public(f"kubeadm-{number}")) for number in reversed(numbers)]
        assert published(planned(result)) == newest_first
        assert list(listed(result).values()) == list(reversed(numbers))

    async def test_as_kubelet_mounts_a_volume(self, pki: PKI, tmp_path: Path) -> None:
        """Links through `..data` are followed, and a generation is replaced whole."""
        folder = kubeadm.mounted(tmp_path / "volume", kubeadm.rotated(9, 10))
        assert list(listed(await read_files(pki, tmp_path, folder, kubeadm.ROTATED_PATTERN)).values()) == [10, 9]
        kubeadm.mounted(folder, kubeadm.rotated(10, 11), "..2026_01_02_00_00_00.2")
        result = await read_files(pki, tmp_path, folder, ".*" + kubeadm.ROTATED_PATTERN)
        assert (list(listed(result).values()), result.findings) == ([11, 10], ())

    async def test_a_pattern_that_matches_the_private_key(self, pki: PKI, tmp_path: Path) -> None:
        """It is named, by file, and the public key is published."""
        folder = kubeadm.written(tmp_path / "pki", kubeadm.pki())
        result = await read_files(pki, tmp_path, folder, r"sa\..*")
        assert listed(result) == {kid(rsa_public("kubeadm")): None}
        assert reasons(result) == {"sa.key": "PrivateKeyInEntry"}
        assert_nothing_of_the_private_key(repr(result))


class TestClusterAPI:
    """Secret <cluster>-sa."""

    async def test_tls_crt_holds_the_public_key(self, pki: PKI) -> None:
        """Whatever its name says."""
        (result,) = await read_object(pki, "secret", clusterapi.PATTERN, secret(clusterapi.secret_data("hosted-a")))
        assert listed(result) == {kid(rsa_public("hosted-a")): None}
        assert (result.findings, result.reading.complete) == ((), True)

    async def test_a_careless_pattern_is_a_finding(self, pki: PKI) -> None:
        """The private key is named, nothing of it is repeated, and the public one is published."""
        (result,) = await read_object(
            pki, "secret", clusterapi.CARELESS_PATTERN, secret(clusterapi.secret_data("hosted-a"))
        )
        assert listed(result) == {kid(rsa_public("hosted-a")): None}
        assert reasons(result) == {"tls.key": "PrivateKeyInEntry"}
        assert result.reading.unreadable == {"tls.key"}
        assert_nothing_of_the_private_key(repr(result))

    async def test_what_does_not_match_is_not_even_decoded(self, pki: PKI) -> None:
        """So it cannot be wrong, and cannot be anywhere."""
        data = {**clusterapi.secret_data("hosted-a"), "tls.key": "no base64!"}
        (result,) = await read_object(pki, "secret", clusterapi.PATTERN, secret(data))
        assert (len(result.reading.listings), result.findings) == (1, ())


def assert_nothing_of_the_private_key(text: str) -> None:
    """No line of it stands there."""
    lines = rsa_private_pem().decode().splitlines()
    assert not [line for line in lines if line in text]
