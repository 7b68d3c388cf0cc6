"""The parts of the fleet chapter that compute: rates of requests, pages of metrics, lateness of passes, rows of the table."""

from __future__ import annotations

import pytest

from hack.benchmark.fleet import chapter, columns
from hack.benchmark.fleet.measurement import Seen
from hack.benchmark.fleet.metricspage import Gaps, Page, parse
from hack.benchmark.fleet.rates import busiest_second

PAGE = """\
# HELP oidc_publisher_issuers OIDCIssuers that this replica looks after.
oidc_publisher_issuers 2.0
oidc_publisher_reconciles_total{issuer="a",result="unchanged"} 3.0
oidc_publisher_reconciles_total{issuer="b",result="failed"} 1.0
oidc_publisher_last_reconcile_timestamp_seconds{issuer="a"} 1.7e+09
oidc_publisher_last_reconcile_timestamp_seconds{issuer="b"} 1.700000001e+09
python_gc_objects_collected_total{generation="0"} 1.0
"""
TURNS = 'oidc_publisher_event_loop_longest_turn_seconds{clock="cpu"} 0.012\n'


@pytest.mark.parametrize(
    ("times", "most"),
    [
        ([], 0),
        ([5.0], 1),
        ([0.0, 0.5, 0.999, 1.0, 1.4], 4),  # 0.5 to 1.4: a second does not have to begin with a whole one
        ([0.0, 1.0, 2.0], 1),
        ([2.0, 0.1, 0.2, 1.05], 3),  # in any order
    ],
)
def test_the_busiest_second_may_begin_anywhere(times: list[float], most: int) -> None:
    """A second by the clock would halve a burst that lies across its border."""
    assert busiest_second(times) == most


def test_a_page_is_read_with_its_labels() -> None:
    """Metrics of others are left out."""
    page = parse(PAGE + TURNS)
    assert page.passes == 4
    assert page.of_issuers("last_reconcile_timestamp_seconds") == {"a": 1.7e9, "b": 1.700000001e9}
    assert page.longest_turn_s("cpu") == 0.012
    assert "generation" not in str(page)


def test_an_operator_without_the_metric_has_no_longest_turn() -> None:
    """So a former version can be measured too."""
    assert parse(PAGE).longest_turn_s("cpu") is None


def test_lateness_is_what_a_pass_comes_after_its_interval() -> None:
    """A page that shows no new pass says nothing, and each issuer is compared with itself."""
    gaps = Gaps(60)
    for times in ({"a": 100.0, "b": 130.0}, {"a": 100.0, "b": 191.5}, {"a": 160.25, "b": 191.5, "c": 170.0}):
        samples = [({"issuer": name}, at) for name, at in times.items()]
        gaps.note(Page({"last_reconcile_timestamp_seconds": samples}))
    assert gaps.late_s == [1.5, 0.25]


@pytest.mark.parametrize("turn_s", [None, 0.0123])
def test_a_row_has_a_cell_for_each_column(turn_s: float | None) -> None:
    """The picture finds its columns by their names."""
    seen = Seen(
        10, late_s=[0.1], change_s=[0.2], shared_s=[0.3], rss_mib=(100.0,), turn_cpu_s=turn_s, turn_wall_s=turn_s
    )
    cells = dict(zip(columns.HEAD, chapter.row(seen), strict=True))
    assert cells[columns.ISSUERS] == "10"
    assert cells["longest turn, ms"] == ("" if turn_s is None else "12.3")
    shown = [figure.what for figure in chapter.figures(seen) if "turn" in figure.what]
    assert len(shown) == (0 if turn_s is None else 2)
