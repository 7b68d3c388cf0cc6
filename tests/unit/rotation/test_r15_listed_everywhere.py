"""R15: safe for the world is not safe for the cluster. A key may sign only where every API server would accept its tokens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from oidc_publisher.findings import Finding, Reason
from oidc_publisher.rotation import Advance
from oidc_publisher.rotation.clock import coarse_end, stamp
from tests.simulation.scenario import HOUR, MINUTE, SECOND, T0, Server, Source, World, key

K1, K2, K3 = key("K1"), key("K2"), key("K3")
#: When a key that is served from the start on is known to every cache.
KNOWN = 24 * HOUR + 10 * MINUTE


def two_servers() -> World:
    """K1 signs at both and is published; then A is restarted with K2 in its key files, and B is not."""
    world = World(servers={"A": Server([K1], K1), "B": Server([K1], K1)})
    world.at(timedelta(0))
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    return world


def known() -> World:
    """The same when K2 is known to every cache."""
    world = two_servers()
    world.every(4 * HOUR, until=HOUR + KNOWN)
    return world


def unlisted(result: Advance) -> list[Finding]:
    """What is said of keys that an API server lacks."""
    return [f for f in result.findings if f.reason is Reason.KeyUnlistedSomewhere]


def test_r15_a_key_that_one_server_lacks_is_not_safe_and_is_in_the_first_pass_that_sees_it_everywhere() -> None:
    """Its time comes and goes; when B lists it as well, nothing is waited for again."""
    world = known()
    result = world.every(4 * HOUR, until=48 * HOUR)
    entry = world.entry("K2")
    assert (entry.safe_since_time, entry.unlisted_by) == (None, ("B",))
    assert [f.subject for f in unlisted(result)] == ["K2"]
    assert "Key K2 is not listed by API server B" in unlisted(result)[0].message
    assert Reason.PrePublishing not in world.reasons(), "every cache knows it"
    assert result.may_sign is False
    world.servers["B"].keys = [K1, K2]
    result = world.at(49 * HOUR)
    assert world.entry("K2").safe_since_time == T0 + 49 * HOUR
    assert world.entry("K2").unlisted_by == ()
    assert [e.subject for e in result.events if e.reason is Reason.KeySafe] == ["K2"]
    assert result.may_sign is True


def test_r15_a_server_that_no_longer_lists_a_safe_key_takes_the_permission_away_and_no_more() -> None:
    """Though settings have risen meanwhile, the key has waited, and is safe again as soon as it is listed again."""
    world = known()
    world.servers["B"].keys = [K1, K2]
    world.at(26 * HOUR)
    assert world.entry("K2").safe_since_time is not None
    world.policy = replace(world.policy, pre_publish_period=48 * HOUR, cache_max_age=HOUR)
    world.at(27 * HOUR)
    world.servers["B"].keys = [K1]
    result = world.at(28 * HOUR)
    assert world.entry("K2").safe_since_time is None
    assert world.entry("K2").served_since_time == T0 + HOUR
    assert result.wake_at is None, "no clock runs"
    world.servers["B"].keys = [K1, K2]
    world.at(28 * HOUR + MINUTE)
    assert world.entry("K2").safe_since_time == T0 + 28 * HOUR + MINUTE


def test_r15_a_single_server_may_list_a_key_and_sign_with_it_in_one_restart() -> None:
    """The key comes from a ConfigMap; there is nobody who could refuse what the one server signs."""
    world = World(servers={"A": Server([K1], K1)}, sources={"cm": Source([K1, K2])})
    world.at(timedelta(0))
    world.every(HOUR, until=KNOWN)
    assert world.entry("K2").safe_since_time is not None
    assert world.entry("K2").unlisted_by == ()
    assert Reason.KeyUnlistedSomewhere not in world.reasons()


def test_r15_a_key_that_no_server_lists_is_not_safe_where_there_are_two() -> None:
    """The ConfigMap alone has it: whoever signs with it first is refused by the other."""
    world = World(servers={"A": Server([K1], K1), "B": Server([K1], K1)}, sources={"cm": Source([K1, K2])})
    world.at(timedelta(0))
    result = world.every(4 * HOUR, until=48 * HOUR)
    assert world.entry("K2").safe_since_time is None
    assert world.entry("K2").unlisted_by == ("A", "B")
    assert "API server A, B" in unlisted(result)[0].message


def test_r15_a_server_that_cannot_be_read_makes_nothing_safe_and_clears_nothing() -> None:
    """What is safe stays so while B is away; what is due then waits for B."""
    world = known()
    world.servers["B"].keys = [K1, K2]
    world.every(HOUR, until=30 * HOUR)
    safe = world.entry("K2").safe_since_time
    assert safe is not None
    for server in world.servers.values():
        server.keys = [K1, K2, K3]
    world.at(31 * HOUR)
    world.servers["B"].up = False
    world.every(HOUR, until=31 * HOUR + KNOWN + HOUR)
    assert world.entry("K2").safe_since_time == safe
    assert world.entry("K3").safe_since_time is None
    assert world.entry("K3").unlisted_by == ()
    world.servers["B"].up = True
    world.run()
    assert world.entry("K3").safe_since_time is not None


def test_r15_a_server_that_is_away_lacks_what_it_lacked() -> None:
    """Nothing says that B has the key by now."""
    world = known()
    world.servers["B"].up = False
    world.every(HOUR, until=30 * HOUR)
    assert world.entry("K2").unlisted_by == ("B",)
    assert world.entry("K2").safe_since_time is None


def test_r15_nothing_becomes_safe_while_nobody_knows_how_many_servers_there_are() -> None:
    """The EndpointSlice cannot be read: what is safe stays, what is due waits."""
    world = known()
    world.servers["B"].keys = [K1, K2, K3]
    world.servers["A"].keys = [K1, K2, K3]
    world.every(HOUR, until=27 * HOUR)
    assert world.entry("K2").safe_since_time is not None
    world.slice_up = False
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.entry("K2").safe_since_time is not None
    assert world.entry("K3").known_to_caches
    assert world.entry("K3").safe_since_time is None
    world.slice_up = True
    world.run()
    assert world.entry("K3").safe_since_time is not None


def test_r15_a_key_set_that_cannot_be_read_in_full_lacks_nothing_and_lists_what_it_shows() -> None:
    """The key may be the very one that cannot be read; one that is shown is listed."""
    world = two_servers()
    world.servers["A"].keys = [K1, K2, K3]
    world.servers["B"] = Server([K1, K3], K1, whole=False)
    world.every(HOUR, until=27 * HOUR + KNOWN)
    assert world.entry("K3").safe_since_time is not None
    assert world.entry("K2").safe_since_time is None
    assert world.entry("K2").unlisted_by == ("B",), "as it was known before"
    assert world.entry("K3").unlisted_by == ()
    world.servers["A"].keys = [K1, K2, K3, key("K4")]
    world.run()
    assert world.entry("K4").unlisted_by == (), "it may be what cannot be read"


def test_r15_a_server_that_restarts_is_not_forgotten_at_once() -> None:
    """B leaves the EndpointSlice for a moment: neither is A the only one, nor has B come to list the key."""
    world = World(servers={"A": Server([K1, K2], K1), "B": Server([K1], K1)}, sources={"cm": Source([K1, K2, K3])})
    world.at(timedelta(0))
    world.every(HOUR, until=30 * HOUR)
    gone = world.servers.pop("B")
    world.at(30 * HOUR + MINUTE)
    assert world.entry("K2").unlisted_by == ("B",)
    assert world.entry("K3").unlisted_by == ("A", "B")
    assert world.entry("K2").safe_since_time is None
    world.servers["B"] = gone
    world.at(30 * HOUR + 2 * MINUTE)
    assert world.entry("K2").safe_since_time is None
    world.servers["B"].keys = [K1, K2]
    world.servers["A"].keys = [K1]
    world.at(30 * HOUR + 3 * MINUTE)
    assert world.entry("K2").unlisted_by == ("A",)
    world.servers["A"].keys = [K1, K2]
    del world.servers["B"]
    world.at(31 * HOUR)
    assert world.entry("K2").unlisted_by == ()
    assert world.entry("K2").safe_since_time is None, "B may come back without it"
    world.at(31 * HOUR + 5 * MINUTE - SECOND)
    assert world.entry("K2").safe_since_time is None
    world.at(31 * HOUR + 5 * MINUTE)
    assert world.entry("K2").safe_since_time is not None
    assert world.entry("K3").safe_since_time is not None, "A is the only one now"


def test_r15_two_servers_with_disjoint_keys_are_never_safe() -> None:
    """Each refuses the other's tokens, though both sign since ever: the baseline is exempt from waiting, not from this."""
    world = World(servers={"A": Server([K1], K1), "B": Server([K2], K2)})
    world.at(timedelta(0))
    result = world.every(4 * HOUR, until=48 * HOUR)
    assert result.may_sign is False
    assert {f.subject for f in unlisted(result)} == {"K1", "K2"}
    assert Reason.SignedBeforeSafe not in world.reasons(), "every cache knows both"
    for server in world.servers.values():
        server.keys = [K1, K2]
    assert world.at(49 * HOUR).may_sign is True


def test_r15_who_signs_with_a_key_that_another_lacks_is_no_early_signer() -> None:
    """SignedBeforeSafe names a time from which all is well; here none is."""
    world = known()
    world.servers["A"].signer = K2
    result = world.at(26 * HOUR)
    assert Reason.SignedBeforeSafe not in world.reasons()
    assert not world.entry("K2").signed_before_safe
    assert [f.subject for f in unlisted(result)] == ["K2"]
    assert result.may_sign is False


def test_r15_says_nothing_without_api_servers_and_nothing_of_keys_that_nobody_uses() -> None:
    """A ConfigMap alone names no API server; and a key that retires is listed by nobody by nature."""
    world = World(servers={"A": Server([K1, K2], K1), "B": Server([K1, K2], K1)})
    world.at(timedelta(0))
    world.every(HOUR, until=KNOWN)
    assert world.entry("K2").safe_since_time is not None
    for server in world.servers.values():
        server.keys = [K1]
    world.at(KNOWN + HOUR)
    assert world.entry("K2").unused_since_time is not None
    assert world.entry("K2").unlisted_by == ()
    world.servers["A"].keys = [K1, K2]
    world.at(KNOWN + 2 * HOUR)
    assert world.entry("K2").unlisted_by == ("B",)
    assert world.entry("K2").safe_since_time is None
    world.servers, world.sources = {}, {"cm": Source([K1, K2])}
    world.at(KNOWN + 3 * HOUR)
    assert world.entry("K2").unlisted_by == ()
    assert world.entry("K2").safe_since_time is not None


def test_r15_another_material_under_the_same_key_id_is_another_key() -> None:
    """B lists what it calls K2, and would refuse every token of A's K2."""
    world = two_servers()
    world.servers["B"].keys = [K1, key("K2", material="other")]
    world.every(4 * HOUR, until=48 * HOUR)
    assert world.entry("K2").unlisted_by == ("B",)
    assert world.entry("K2").safe_since_time is None


def test_the_permission_names_the_keys_it_speaks_of_and_when_all_was_last_read() -> None:
    """And it is as stable as the coarse times: a resting issuer costs no PATCH."""
    world = known()
    waits = world.last
    assert waits is not None
    assert waits.permission == "These listed keys may not sign yet: K2."
    world.servers["B"].keys = [K1, K2]
    begin = coarse_end(T0 + 26 * HOUR, world.look().phase)
    first = world.at(begin - T0)
    assert first.permission == (
        f"All listed keys may sign since {stamp(begin)}: K2, K1. "
        f"No other was listed when everything was last read, about {stamp(begin)}."
    )
    assert world.at(begin + MINUTE - T0).permission == first.permission
    world.servers["B"].up = False
    assert world.at(27 * HOUR).permission == first.permission, "nobody has read everything since"


def test_what_waits_without_a_time_says_so() -> None:
    """Nothing could be written: no key is published, and no time can be named."""
    world = World(sources={"cm": Source([K1])}, put_fails=True)
    result = world.at(timedelta(0))
    (waits,) = [f for f in result.findings if f.reason is Reason.PrePublishing]
    assert waits.message == "Key K1 is not published yet, so nobody can say from when it is safe to sign with."
    assert "time named" not in waits.sentence
    world.put_fails, world.wire_up = False, False
    result = world.at(HOUR)
    (waits,) = [f for f in result.findings if f.reason is Reason.PrePublishing]
    assert waits.message.startswith("Key K1 is not at the public URL yet")
