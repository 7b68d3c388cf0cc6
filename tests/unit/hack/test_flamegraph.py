"""The picture of where the CPU time of a pass goes."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from hack.benchmark.flamedriver import stack_of
from hack.draw_flamegraph import Node, draw, read_stacks, shortened

_LOOP = "cli.main;asyncio.base_events.BaseEventLoop._run_once;asyncio.events.Handle._run"


def test_a_library_is_one_box_and_our_functions_have_their_names() -> None:
    """What runs everything is left out, and so are functions without a name."""
    ours = "oidc_publisher.probe.look.look;oidc_publisher.stores.deadlines.send.<locals>.<lambda>"
    stack = f"{_LOOP};{ours};aiohttp.client.get;aiohttp.connector.connect;ssl.SSLObject.do_handshake"
    assert shortened(stack) == ["event loop", "probe.look.look", "aiohttp", "ssl"]
    assert shortened("threading.run;oidc_publisher.threads._Worker.work;json.loads")[1:] == ["json"]
    assert shortened("selectors.run;aiohttp.get") == ["other threads", "aiohttp"]


def test_a_box_is_as_wide_as_its_share_of_the_time(tmp_path: Path) -> None:
    """Its title names the share; what is too narrow to see is left out, and its time is not."""
    stacks = tmp_path / "stacks"
    stacks.write_text(f"{_LOOP};ssl.read 750\n{_LOOP};json.loads 249\n{_LOOP};abc.new 1\n")
    root = read_stacks(stacks)
    assert root == Node("CPU of the passes", 1000, root.below)
    picture = ET.fromstring(draw(root))  # noqa: S314 - made here
    titles = [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["CPU of the passes: 100.0 %", "event loop: 100.0 %", "ssl: 75.0 %", "json: 24.9 %"]


def test_a_stack_has_the_outermost_function_first() -> None:
    """The driver names each by its module, as the picture tells packages apart."""
    names = stack_of(sys._getframe()).split(";")
    assert names[-1].endswith("test_flamegraph.test_a_stack_has_the_outermost_function_first")
    assert any(name.startswith("_pytest.") for name in names)
