"""What an admin changes beside the keys: the place of the documents, whose documents are taken over, which keys are withdrawn.

He goes by the how-to on taking over and moving: he changes spec.store, looks what `Published` names, and only then, at any
later time or never, leads the public URL there. He edits nothing on the word of a status that was lost or set back.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from oidc_publisher.api import Adoption
from tests.simulation.keypool import public_key
from tests.simulation.places import leave_documents
from tests.simulation.publicface import Bucket
from tests.simulation.rotator import POOL, Rotator
from tests.simulation.world import DAY, started

THEIRS = (public_key(2001), public_key(2002))
MOST_PLACES = 5


class Admin(Rotator):
    """An admin beside the rotator. Faults come with a subclass."""

    @initialize(
        servers=st.integers(1, 3),
        named=st.booleans(),
        often=st.booleans(),
        down=st.booleans(),
        heir=st.sampled_from([False, False, True]),
        signed=st.booleans(),
    )
    def start(self, servers: int, named: bool, often: bool, down: bool, heir: bool, signed: bool) -> None:
        """The first publication; perhaps over the documents of a former cluster, whose signing key the new one was given."""
        self.world = started(
            servers,
            named=named,
            interval=timedelta(hours=2 if often else 12),
            down=down and servers > 1,
            heir_of=THEIRS if heir else (),
            signed=signed,
        )

    # Places

    @precondition(lambda self: self._knows_the_status())
    @rule(
        found=st.sampled_from(["former", "former", "nothing", "another", "nobody", "another issuer"]),
        adoption=st.sampled_from(Adoption),
        copied=st.booleans(),
        watched=st.booleans(),
    )
    def move(self, found: str, adoption: Adoption, copied: bool, watched: bool) -> None:
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
                world.now - (timedelta(0) if copied else 10 * DAY),
                signed=found == "another",
                fitting=found != "another issuer",
            )
        world.move(bucket, adoption)
        if watched:
            world.run_pass()
            world.settle()

    @precondition(lambda self: self._knows_the_status() and (self.world.refused or self._is_not_shown()))
    @rule(adoption=st.sampled_from(Adoption))
    def arrive(self, adoption: Adoption) -> None:
        """Strangers' documents may be taken over after all; or the public URL is led to where the documents are."""
        world = self.world
        world.settle()
        if world.refused:
            world.set_spec(adoption=adoption)
        # What was rebuilt from a place counts as served there all the time (R9), until the URL is seen to lead elsewhere.
        world.run_pass()
        if world.wire_up and self._knows_the_status() and self._is_published_elsewhere():
            world.origin.show(world.bucket, world.now)
        world.settle()

    def _knows_the_status(self) -> bool:
        """Whether the status is not lost and tells of a pass since it was put back."""
        return self.world.reported is not None and not self.world.restored and not self.world.suspended

    def _is_not_shown(self) -> bool:
        return self.world.origin.bucket is not self.world.bucket

    def _is_published_elsewhere(self) -> bool:
        """Whether `Published` names a place that the public URL does not show."""
        world = self.world
        return not world.moving and world.operator.place == world.bucket.location and self._is_not_shown()

    # Stolen keys

    @precondition(lambda self: self._knows_the_status())
    @rule(
        which=st.integers(0, 5),
        back=st.sampled_from([False, False, True]),
        successor=st.booleans(),
        watched=st.booleans(),
    )
    def withdraw(self, which: int, back: bool, successor: bool, watched: bool) -> None:
        """A key that signs nowhere was stolen, and perhaps another is listed for it in the same moment.

        Or one that was withdrawn is no longer named, though it may be listed still.
        """
        world = self.world
        world.settle()
        signers = {server.signer for server in world.cluster.servers.values()}
        idle = sorted(world.cluster.used - signers - world.oracle.withdrawn, key=lambda key: key.key_id)
        withdrawn = sorted(world.oracle.withdrawn, key=lambda key: key.key_id)
        if back and withdrawn:
            world.withdraw(world.oracle.withdrawn - {withdrawn[which % len(withdrawn)]})
        elif idle:
            world.withdraw(world.oracle.withdrawn | {idle[which % len(idle)]})
            if successor and self.newest < POOL:
                self.add(who=0, everywhere=True, named=False)
        if watched:
            world.run_pass()
            world.settle()

    def _arrive_at_last(self) -> None:
        """Everything is readable: what is strange is taken over, and the public URL follows."""
        world = self.world
        if world.refused:
            world.set_spec(adoption=Adoption.MERGE if world.bucket.fits else Adoption.REPLACE)
        for _ in range(3):
            world.run_pass()
        world.settle()
        assert not world.moving, "the documents arrive where the spec has them"
        if self._is_not_shown():
            world.origin.show(world.bucket, world.now)
        world.settle()
