"""The ring of signing keys in every history of faults that Hypothesis generates (S1 to S17).

The faults: signers are killed and cut off, disks are lost and put back from any backup, the Secret is lost and put back
from any backup, answers to writes are lost, the operator stops, the issuer is suspended, an API server leaves and comes
back or was left with key files. The promises: no number has two keys, nobody signs with what is not allowed, a version
is forgotten only when no ledger holds it, and when the faults end every rotation does too.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oidc_publisher.signer.ring import Ring, permission
from tests.simulation.ringworld import LIFETIME, MINUTE, Node, RingWorld
from tests.support.examples import about

NODES = 3
WHO = st.integers(0, NODES - 1)


class RingMachine(RuleBasedStateMachine):
    """Everything may go wrong, and most of it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.world = RingWorld(NODES)
        self.buried: set[str] = set()
        #: A copy was put back that was older than what signers knew, or a node was away: its tokens may be refused.
        self.rolled_back = False

    @initialize(period=st.booleans(), left_behind=st.booleans())
    def begin(self, period: bool, left_behind: bool) -> None:
        """By period or on demand; one API server may have been left with its key files."""
        self.world.nodes[-1].key_files = left_behind
        if period:
            self.world.intent = replace(self.world.intent, rotation_period=90 * MINUTE)

    @rule(minutes=st.sampled_from((1, 3, 10, 40)))
    def wait(self, minutes: int) -> None:
        """Time passes."""
        for _ in range(minutes):
            before = self.world.secret.ring
            self.world.wait(1)
            self._look_at_burials(before)

    @rule()
    def ask(self) -> None:
        """Somebody asks for a new version, or for one that is there."""
        ring = self.world.secret.ring
        if ring is not None:
            self.world.intent = replace(self.world.intent, newest_version=ring.highest + 1)

    @rule()
    def mistype(self) -> None:
        """Somebody asks for a version far away, and takes it back after a while."""
        self.world.intent = replace(self.world.intent, newest_version=10**17)
        self.wait(3)
        self.world.intent = replace(self.world.intent, newest_version=None)

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        """The ring is suspended, or goes on."""
        self.world.intent = replace(self.world.intent, suspend=suspend)

    @rule(who=WHO)
    def restart(self, who: int) -> None:
        """A signer is killed and starts at once."""
        self.world.start(who)

    @rule(who=WHO, minutes=st.integers(1, 20))
    def kill(self, who: int, minutes: int) -> None:
        """A signer is killed and starts after a while; its API server stays in the list of endpoints."""
        self.world.kill(who)
        self.wait(minutes)
        self.world.start(who)

    @rule(who=WHO)
    def cut_off(self, who: int) -> None:
        """A signer cannot reach the Secret, or can again."""
        self.world.nodes[who].door.open ^= True

    @rule(who=WHO)
    def leave(self, who: int) -> None:
        """An API server leaves the list of endpoints with its node, or is back."""
        node = self.world.nodes[who]
        if node.present and sum(each.present for each in self.world.nodes) == 1:
            return
        node.present ^= True
        node.door.open = node.present
        self.rolled_back = True

    @rule(times=st.integers(1, 2))
    def lose_answers(self, times: int) -> None:
        """The next writes of the Secret succeed, and their writers do not learn it."""
        self.world.secret.lost_answers = times

    @rule(running=st.booleans())
    def stop_the_operator(self, running: bool) -> None:
        """The operator stops, or is back."""
        self.world.operator.running = running

    @rule(suspended=st.booleans())
    def suspend_the_issuer(self, suspended: bool) -> None:
        """The issuer is suspended, or goes on."""
        self.world.operator.suspended = suspended

    @precondition(lambda self: self._copies() > 1)
    @rule(who=WHO)
    def lose_a_disk(self, who: int) -> None:
        """A node is made anew, with an empty disk."""
        self.world.nodes[who].disk.copy = None
        self.world.start(who)

    @rule(who=WHO, age=st.integers(0, 30))
    def put_a_disk_back(self, who: int, age: int) -> None:
        """A node is put back from a backup of any age."""
        disk = self.world.nodes[who].disk
        if disk.past:
            disk.copy = disk.past[-1 - age % len(disk.past)]
            self.world.start(who)
            self.rolled_back = True

    @precondition(lambda self: any(node.disk.copy for node in self.world.nodes))
    @rule()
    def lose_the_secret(self) -> None:
        """Somebody deletes it, and the installer makes an empty one."""
        self.world.secret.put(None)

    @rule(age=st.integers(0, 30))
    def put_the_secret_back(self, age: int) -> None:
        """It is put back from a backup of any age, as with etcd."""
        past = self.world.secret.past
        self.world.secret.put(past[-1 - age % len(past)])
        self.rolled_back = True

    @precondition(lambda self: len(self.world.withdrawn) < 2)
    @rule()
    def withdraw(self) -> None:
        """The newest version that signs is withdrawn."""
        signing = [node.served.sign for node in self.world.nodes if node.served and node.served.sign]
        if signing:
            newest = max(signing, key=lambda key: key.number)
            self.world.withdrawn |= {newest.key_id}

    @invariant()
    def no_number_has_two_keys(self) -> None:
        """S2, in the Secret and on every disk."""
        for ring in self._rings():
            numbers = [number for number, _ in ring.claims]
            assert len(numbers) == len(set(numbers))

    @invariant()
    def nobody_signs_with_what_is_not_allowed(self) -> None:
        """S6 to S9: whoever signs with a key, the ring had said so, and had a reason."""
        for node in self._up():
            assert node.served is not None
            assert node.served.sign is not None
            key_id = node.served.sign.key_id
            assert self.world.permitted.get(key_id) in {"founding", "allowed", "withdrawal"}
        assert "no reason" not in self.world.permitted.values()

    @invariant()
    def a_signer_that_signed_goes_on(self) -> None:
        """Whatever fails: who has a disk has a key to sign with, and lists that key."""
        for node in self.world.nodes:
            if node.served is not None and node.disk.copy is not None and not self.world.withdrawn:
                assert node.served.sign is not None
                assert node.served.sign.key_id in self.world.lists(node) or node.key_files

    @invariant()
    def destroyed_private_halves_stay_destroyed(self) -> None:
        """S3: what only verifies has none, wherever it came from."""
        ring = self.world.secret.ring
        assert ring is None or all(key.private is None for key in ring.keys if key.verify_only)

    @invariant()
    def no_token_is_refused(self) -> None:
        """While nothing was put back from a backup and no node was away, each API server takes the tokens of the others."""
        if not self.rolled_back and not self.world.withdrawn and not self.world.nodes[-1].key_files:
            assert self.world.refused == []

    def teardown(self) -> None:
        """When the faults end, a rotation that is asked for ends: all sign with the newest, the others are forgotten."""
        world = self.world
        world.heal()
        world.wait(10 * LIFETIME // MINUTE, step=5)
        world.intent = replace(world.intent, rotation_period=None, newest_version=None)
        world.wait(6 * LIFETIME // MINUTE, step=5)
        ring = world.secret.ring
        assert ring is not None
        world.intent = replace(world.intent, newest_version=ring.highest + 1)
        world.refused.clear()
        world.wait(8 * LIFETIME // MINUTE, step=5)
        ring = world.secret.ring
        assert ring is not None
        assert {node.served.sign for node in world.nodes if node.served} == {ring.keys[0]}
        assert ring.keys[0].number >= int(world.intent.newest_version or 0)
        assert [key.key_id for key in ring.keys[1:]] in ([], [world.first[0].key_id])
        assert all(key.verify_only for key in ring.keys[1:])
        assert world.refused == []
        self.no_number_has_two_keys()
        self.nobody_signs_with_what_is_not_allowed()

    def _look_at_burials(self, before: Ring | None) -> None:
        """S15: what gets its tombstone was gone from the ledger, unless somebody withdrew it."""
        ring = self.world.secret.ring
        known = {stone.key_id for stone in before.tombstones} if before else set()
        for stone in ring.tombstones if ring else ():
            if stone.key_id in self.buried | known or stone.withdrawn:
                continue
            self.buried.add(stone.key_id)
            assert stone.key_id not in self.world.operator.ledger
            if not self.rolled_back:
                assert self.world.now - self.world.minted.get(stone.key_id, self.world.now - LIFETIME) >= LIFETIME

    def _up(self) -> list[Node]:
        return [node for node in self.world.nodes if node.up]

    def _rings(self) -> list[Ring]:
        copies = [node.disk.copy.ring for node in self.world.nodes if node.disk.copy]
        return [*copies, *([self.world.secret.ring] if self.world.secret.ring else [])]

    def _copies(self) -> int:
        return len(self._rings())


TestRingMachine = RingMachine.TestCase
TestRingMachine.settings = about(20, stateful_step_count=25)


def test_the_world_rotates_without_faults() -> None:
    """The machine's world by itself: versions 1 to 4, and no token is refused."""
    world = RingWorld()
    for number in (2, 3, 4):
        world.intent = replace(world.intent, newest_version=number)
        world.wait(200)
        assert {node.served.sign.number for node in world.nodes if node.served and node.served.sign} == {number}
    assert world.refused == []
    assert world.secret.ring is not None
    assert [(key.number, key.verify_only) for key in world.secret.ring.keys] == [(4, False), (1, True)]


@pytest.mark.parametrize("fault", ["left-behind", "cut-off"])
def test_a_rotation_waits_for_an_api_server_that_would_refuse(fault: str) -> None:
    """The two cases that an issuer's Ready alone does not show."""
    world = RingWorld()
    world.nodes[2].key_files = fault == "left-behind"
    world.nodes[2].door.open = fault != "cut-off"
    world.intent = replace(world.intent, newest_version=2)
    world.wait(200)
    assert {node.served.sign.number for node in world.nodes if node.served and node.served.sign} == {1}
    world.heal()
    world.wait(60)
    assert {node.served.sign.number for node in world.nodes if node.served and node.served.sign} == {2}
    assert world.refused == []


@pytest.mark.parametrize("fault", ["left-behind", "cut-off"])
def test_without_the_gate_tokens_are_refused(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same histories when every version counts as allowed: else the test above would show nothing."""
    monkeypatch.setattr(permission, "allowed", lambda _key, _sight: True)
    world = RingWorld()
    world.nodes[2].key_files = fault == "left-behind"
    world.nodes[2].door.open = fault != "cut-off"
    world.intent = replace(world.intent, newest_version=2)
    world.wait(20)
    assert world.refused != []
