"""The dashboard and the alerts on a real Prometheus, which scrapes a real operator through faults and a rotation.

OIDC_PUBLISHER_DASHBOARD_ANSWERS names a file that the answers are written to; hack/draw_dashboard.py draws them.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.chart.dashboard import Panel
from hack.chart.panels import ROWS
from tests.live.places import JWKS, events, until
from tests.support import chart, faults
from tests.support.processes import free_port
from tests.support.prometheus import Prometheus, Sample, promtool
from tests.support.signingkeys import SigningKey, signing_key
from tests.support.stage import BUCKET, Stage, condition

pytestmark = pytest.mark.timeout(600)

PANELS = [panel for row in ROWS for panel in row.panels]
#: What Grafana fills in: a scrape a second makes ten seconds a long time.
FILLED_IN = {"$issuer": ".*", "$__rate_interval": "10s"}
ANSWERS = os.environ.get("OIDC_PUBLISHER_DASHBOARD_ANSWERS")
#: A rate needs two scrapes, a second apart, and a reader some width of the picture.
SEEN_S = 3.0
#: A shard tells of the others; this operator is the only one. tests/unit/controller/test_operator.py runs one of two.
OF_SEVERAL_SHARDS = "oidc_publisher_shard_silent_seconds"
K2, K3 = signing_key("P-256", "dashboard-2"), signing_key("P-256", "dashboard-3")


@dataclass
class Story:
    """What happened while Prometheus looked on: when it began and ended, and its turns."""

    stage: Stage
    prometheus: Prometheus
    target: str
    start: float = field(default_factory=time.time)
    end: float = 0.0
    marks: list[tuple[float, str]] = field(default_factory=list)

    def mark(self, what: str) -> None:
        """Something happened now."""
        self.marks.append((time.time(), what))

    def answers(self, panel: Panel) -> list[list[Sample]]:
        """What Prometheus says to each query of a panel."""
        found = []
        for query in panel.queries:
            expression = query.expression
            for variable, value in FILLED_IN.items():
                expression = expression.replace(variable, value)
            found.append(self.prometheus.query_range(expression, self.start, self.end, 1.0))
        return found


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """An issuer becomes Ready, breaks, is mended, and gets another signing key."""
    folder = tmp_path_factory.mktemp("stage")
    target = f"127.0.0.1:{free_port()}"
    with Stage(folder, servers=1) as stage:
        stage.apply_crd()
        stage.operator = stage.make_operator(f"--metrics-address={target}")
        stage.operator.start()
        labels = {"namespace": "oidc-publisher", "pod": "a"}
        with Prometheus(folder / "prometheus", [target], rules=rules(folder), labels=labels) as prometheus:
            told = Story(stage, prometheus, target)
            tell(told)
            yield told


def rules(folder: Path) -> Path:
    """The alerts as the chart renders them."""
    (rule,) = chart.of_kind(chart.render({"metrics": {"prometheusRule": {"enabled": True}}}), "PrometheusRule")
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": rule["spec"]["groups"]}))
    return path


def tell(story: Story) -> None:
    """Live through it, from the first scrape on."""
    stage = story.stage
    story.prometheus.wait(lambda: story.prometheus.query("oidc_publisher_build_info"), "the first scrape")
    story.start = time.time()
    stage.apply(stage.issuer())
    stage.wait_ready()
    story.mark("Ready")
    break_and_mend(story)
    rotate(story)
    story.end = time.time()


def break_and_mend(story: Story) -> None:
    """The public URL is blocked, the store fails, somebody changes a document; then all is as before."""
    stage = story.stage
    stage.edge.misbehave(f"/{BUCKET}/", faults.unsigned(faults.status(403)))
    story.mark("the public URL is blocked")
    stage.wait_for_reason("AccessBlocked", timeout_s=60)
    time.sleep(SEEN_S)
    stage.edge.heal()
    stage.edge.misbehave(f"/{BUCKET}/", faults.s3_error(503))
    story.mark("the store fails")
    stage.wait_for_reason("StoreUnavailable", timeout_s=60)
    time.sleep(SEEN_S)
    stage.edge.heal()
    story.mark("mended")
    stage.wait_ready(timeout_s=60)
    stage.wait(lambda s: condition(s, "SafeToSign") == "True", what="SafeToSign", timeout_s=60)
    story.mark("somebody deletes the key set")
    stage.s3.delete(BUCKET, JWKS)
    until(lambda: events(stage, "DriftRepaired"), "the key set is back, and the pass has ended", timeout_s=60)
    stage.wait_ready(timeout_s=60)


def rotate(story: Story) -> None:
    """A second key is listed, waits, signs, and the first leaves."""
    stage = story.stage
    story.mark("a second key is listed")
    stage.cluster.restart(0, stage.config(stage.key, K2))
    stage.wait(lambda s: key_of(s, K2).get("safeSinceTime"), what="it is safe", timeout_s=60)
    story.mark("it is to sign")
    stage.cluster.restart(0, stage.config(K2, stage.key))
    stage.wait(lambda s: s.get("signingKeyIDs") == [K2.kid], what="it signs", timeout_s=60)
    story.mark("the first key is unlisted")
    stage.cluster.restart(0, stage.config(K2))
    stage.wait(lambda s: len(s["keys"]) == 1, what="the first key is gone", timeout_s=60)
    stage.wait_ready(timeout_s=60)
    story.mark("it is gone")
    time.sleep(2)


def key_of(status: dict[str, Any], key: SigningKey) -> dict[str, Any]:
    """The key in a status; empty before it is there."""
    return next((k for k in status.get("keys", []) if k["keyID"] == key.kid), {})


def test_every_query_of_every_panel_has_data(story: Story) -> None:
    """Over the whole story: a panel whose metric was renamed is seen, and so is one that nothing can fill."""
    answers = {panel.title: story.answers(panel) for panel in PANELS}
    if ANSWERS:
        marks = [(at, what) for at, what in story.marks]
        told = {"start": story.start, "end": story.end, "marks": marks, "panels": answers}
        Path(ANSWERS).write_text(json.dumps(told))
    queries = {panel.title: [query.expression for query in panel.queries] for panel in PANELS}
    empty = {queries[title][number] for title, found in answers.items() for number, one in enumerate(found) if not one}
    assert empty == {query for several in queries.values() for query in several if OF_SEVERAL_SHARDS in query}


def test_the_panels_show_the_story(story: Story) -> None:
    """Ready was lost and won, a call failed, a document was repaired, keys went through their states."""
    shown = {panel.title: story.answers(panel) for panel in PANELS}

    def values(title: str, query: int = 0) -> set[float]:
        return {float(value) for one in shown[title][query] for _, value in one["values"]}

    def labels(title: str, label: str) -> set[str]:
        return {one["metric"].get(label, "") for one in shown[title][0]}

    assert values("Ready") >= {0.0, 2.0}
    assert max(values("Critical findings")) >= 1
    assert min(values("Critical findings")) == 0
    assert max(values("Repaired changes")) > 0
    assert labels("Published keys by state", "state") >= {"SafeToSign", "Signing", "Retiring"}
    assert labels("What is found", "reason") >= {"AccessBlocked", "StoreUnavailable", "PrePublishing"}


def test_promtool_finds_nothing_in_the_metrics_of_a_running_operator(story: Story) -> None:
    """Names, units and help, by the linter that Prometheus comes with."""
    with urllib.request.urlopen(f"http://{story.target}/metrics", timeout=10) as page:
        done = promtool("check", "metrics", stdin=page.read().decode())
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_watches_stay_open_while_the_api_server_answers(story: Story) -> None:
    """Before the first restart of the API server none is begun anew: each lasts minutes."""
    before = next(at for at, what in story.marks if what == "a second key is listed")
    found = story.prometheus.query_range("oidc_publisher_watch_restarts_total", story.start, before - 1, 1.0)
    assert {float(value) for one in found for _, value in one["values"]} == {0.0}


def test_neither_short_faults_nor_a_rotation_wake_anybody(story: Story) -> None:
    """No alert fired at any instant, though one was waiting to: NotReady wants ten minutes."""
    at = {
        state: story.prometheus.query_range(f'ALERTS{{alertstate="{state}"}}', story.start, story.end, 1.0)
        for state in ("pending", "firing")
    }
    assert at["firing"] == []
    assert "OIDCIssuerNotReady" in {one["metric"]["alertname"] for one in at["pending"]}


def test_a_key_that_is_not_served_wakes_somebody_at_once(story: Story) -> None:
    """The API server signs with a key while the public URL goes on showing the former set."""
    stage = story.stage
    path = f"/{BUCKET}/{JWKS}"
    stage.edge.misbehave(path, faults.unsigned(faults.fixed(stage.edge.fetch(path))))
    stage.cluster.restart(0, stage.config(K3))
    wanted = {("OIDCIssuerSigningKeyNotServed", "prod"), ("OIDCIssuerSignedBeforeSafe", "prod")}
    story.prometheus.wait(lambda: wanted <= story.prometheus.firing(), "both alerts", timeout_s=90)
