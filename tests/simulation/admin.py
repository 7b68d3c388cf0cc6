"""What an admin changes beside the keys: the place of the documents, whose documents are taken over, which keys are withdrawn.

He changes spec.store, and at any time leads the public URL to any place that has the keys of the live tokens. He edits
nothing on the word of a status that was lost or set back.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from oidc_publisher.api import Adoption
from oidc_publisher.documents import DISCOVERY_PATH, OwnerMark, StoredDocument
from tests.simulation.keypool import public_key
from tests.simulation.operatorprocess import OWNER
from tests.simulation.places import leave_documents
from tests.simulation.publicface import JWKS_PATH, Bucket
from tests.simulation.rotator import POOL, WAITS, Rotator
from tests.simulation.world import DAY, started

THEIRS = (public_key(2001), public_key(2002))
MOST_PLACES = 5


class Admin(Rotator):
    """An admin beside the rotator. Faults come with a subclass."""

    kept: dict[str, StoredDocument]

    @initialize(
        servers=st.integers(1, 3),
        named=st.booleans(),
        often=st.booleans(),
        down=st.booleans(),
        heir=st.sampled_from([False, False, True]),
        signed=st.booleans(),
        by_hand=st.booleans(),
        unread=st.booleans(),
    )
    def start(
        self, servers: int, named: bool, often: bool, down: bool, heir: bool, signed: bool, by_hand: bool, unread: bool
    ) -> None:
        """The first publication; perhaps over the documents of a former cluster, whose signing key the new one was given."""
        self.world = started(
            servers,
            named=named,
            interval=timedelta(hours=2 if often else 12),
            down=down and servers > 1,
            heir_of=THEIRS if heir else (),
            signed=signed,
            by_hand=by_hand and not heir,
            unread=unread,
        )

    # Places

    @precondition(lambda self: self._knows_the_status() and self.world.told)
    @rule(
        found=st.sampled_from(["former", "former", "nothing", "another", "nobody", "another issuer"]),
        adoption=st.sampled_from(Adoption),
        copied=st.booleans(),
        old=st.booleans(),
        watched=st.booleans(),
    )
    def move(self, found: str, adoption: Adoption, copied: bool, old: bool, watched: bool) -> None:
        """spec.store names a former place, or a new one in which nothing or somebody's documents are, copies of ours perhaps."""
        world = self.world
        world.settle()
        others = [bucket for bucket in world.places if bucket is not world.bucket]
        if found == "former" or len(world.places) == MOST_PLACES:
            if not others:
                return
            bucket = others[-1]
        else:
            bucket = Bucket(name=f"place-{len(world.places)}")
        if found in ("another", "nobody", "another issuer") and bucket.era is None:
            era = world.origin.era
            ours = sorted(era.keys, key=lambda key: key.key_id) if copied and era else ()
            leave_documents(
                bucket,
                world.operator.spec,
                (*THEIRS, *(key for key in ours if key not in THEIRS)),
                world.now - (10 * DAY if old else timedelta(0)),
                signed=found == "another",
                fitting=found != "another issuer",
            )
        world.move(bucket, adoption)
        if watched:
            world.run_pass()
            world.settle()

    @precondition(lambda self: self._knows_the_status() and self.world.refused)
    @rule(adoption=st.sampled_from(Adoption))
    def arrive(self, adoption: Adoption) -> None:
        """Strangers' documents may be taken over after all."""
        self.world.settle()
        self.world.set_spec(adoption=adoption)
        self.world.run_pass()
        self.world.settle()

    @precondition(lambda self: len(self.world.places) > 1)
    @rule(which=st.sampled_from([0, 0, 0, 1, 2, 3, 4]), purged=st.booleans(), lost=st.booleans(), watched=st.booleans())
    def lead(self, which: int, purged: bool, lost: bool, watched: bool) -> None:
        """The public URL is led to some place, whatever the spec, the status and the wire are like just then.

        `lost`: in the same moment somebody wipes the status.
        """
        world = self.world
        world.settle()
        if lost and self._may_lose_status():
            world.set_status({})
        others = [place for place in (world.bucket, *world.places) if place is not world.origin.bucket]
        if world.lead(others[which % len(others)], purged=purged):
            event("the URL is led elsewhere")
        if watched:
            world.run_pass()
        world.settle()

    @precondition(lambda self: self._knows_the_status() and self.world.told and self.newest < POOL)
    @rule(found=st.sampled_from(["former", "nothing"]), unread=st.booleans(), lost=st.booleans(), duration=WAITS)
    def relocate(self, found: str, unread: bool, lost: bool, duration: timedelta) -> None:
        """A move from its begin to its end, with a new key on the way: what is written there is shown much later."""
        world = self.world
        self.move(found=found, adoption=Adoption.REFUSE, copied=False, old=False, watched=True)
        self.add(who=0, everywhere=True, named=False)
        world.run_pass()
        world.wire_up = world.wire_up and not unread
        world.wait(duration)
        if len(world.places) > 1:
            self.lead(which=0, purged=True, lost=lost, watched=False)
        self._readable()
        world.run_pass()
        self.promote(who=0, which=-1, everywhere=True, mended=False)

    @precondition(lambda self: self._knows_the_status() and self.world.told and self._mark_is_ours())
    @rule()
    def seize(self) -> None:
        """Another owner writes over our documents, and keeps our keys beside its own.

        The status tells that they were ours: where it was lost, and the store not read since, they are any other owner's,
        and `adoption` decides.
        """
        world, era = self.world, self.world.bucket.era
        assert era is not None
        world.settle()
        self.kept = dict(world.bucket.documents)
        theirs = (*(key for key in THEIRS if key not in era.keys), *sorted(era.keys, key=lambda key: key.key_id))
        leave_documents(world.bucket, world.operator.spec, theirs, world.now, signed=True, fitting=True)
        world.bucket.seized, world.restored = True, True
        world.run_pass()
        world.settle()

    @precondition(lambda self: self.world.bucket.seized)
    @rule()
    def give_back(self) -> None:
        """A person puts the former version of our documents back."""
        world = self.world
        world.settle()
        for path in (JWKS_PATH, DISCOVERY_PATH):
            world.bucket.overwrite(path, self.kept[path].document, world.now)
        world.bucket.seized = False
        world.run_pass()
        world.settle()

    def _may_lose_status(self) -> bool:
        return self._mark_is_ours() and not self.world.mark_misleads

    def _mark_is_ours(self) -> bool:
        documents = self.world.bucket.documents
        if self.world.moving or DISCOVERY_PATH not in documents:
            return False
        marks = [OwnerMark.read(documents[path].document.metadata) for path in (JWKS_PATH, DISCOVERY_PATH)]
        return all(mark is not None and mark.owner == OWNER for mark in marks)

    def _knows_the_status(self) -> bool:
        """Whether the status is not lost and tells of a pass since it was put back."""
        return self.world.reported is not None and not self.world.restored and not self.world.suspended

    def _is_not_shown(self) -> bool:
        return self.world.origin.bucket is not self.world.bucket

    # Stolen keys

    @precondition(lambda self: self._knows_the_status())
    @rule(
        which=st.integers(0, 5),
        what=st.sampled_from(["one", "one", "back", "every"]),
        successor=st.booleans(),
        watched=st.booleans(),
    )
    def withdraw(self, which: int, what: str, successor: bool, watched: bool) -> None:
        """A key that signs nowhere was stolen, or every key, and perhaps another is listed for it in the same moment.

        Or one that was withdrawn and signs nowhere is no longer named, though it may be listed still.
        """
        world = self.world
        world.settle()
        signers = {server.signer for server in world.cluster.servers.values()}
        idle = sorted(world.cluster.used - signers - world.oracle.withdrawn, key=lambda key: key.key_id)
        withdrawn = sorted(world.oracle.withdrawn - signers, key=lambda key: key.key_id)
        if what == "back":
            named = {withdrawn[which % len(withdrawn)]} if withdrawn else set()
            world.withdraw(world.oracle.withdrawn - named)
        elif what == "every":
            world.withdraw(world.oracle.withdrawn | world.cluster.used)
        elif idle:
            world.withdraw(world.oracle.withdrawn | {idle[which % len(idle)]})
        if what != "back" and successor and self.newest < POOL:
            self.add(who=0, everywhere=True, named=False)
        if watched:
            world.run_pass()
            world.settle()

    def _arrive_at_last(self) -> None:
        """Everything is readable: what is strange is taken over, and the public URL follows."""
        world = self.world
        if world.bucket.seized:
            self.give_back()
        if world.refused:
            world.set_spec(adoption=Adoption.MERGE if world.bucket.fits else Adoption.REPLACE)
        for edge in world.edges:
            edge.copy = None
        for _ in range(3):
            world.run_pass()
        world.settle()
        assert not world.moving, "the documents arrive where the spec has them"
        if self._is_not_shown():
            world.origin.show(world.bucket, world.now)
        world.settle()
