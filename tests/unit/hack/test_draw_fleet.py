"""The picture of a fleet's growth is that of the page of figures, and of nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from hack import draw_fleet
from hack.benchmark import page
from hack.benchmark.figures import Chapter, Figure
from hack.benchmark.fleet import columns

SIZES = ("1", "10", "100", "1000")


def row(size: str, **cells: str) -> tuple[str, ...]:
    known = {columns.ISSUERS: size, columns.CPU: "4.2", columns.MEMORY: "120.5"}
    return tuple((dict.fromkeys(columns.HEAD, "1.5") | known | cells)[name] for name in columns.HEAD)


def page_of(*rows: tuple[str, ...]) -> str:
    """A page with a chapter before and one after, as bench writes it."""
    others = [Chapter(title, "Text.", (Figure("CPU at rest", "%", (1.0,)),)) for title in ("First", "Last")]
    fleet = Chapter(columns.TITLE, "Text.", (Figure("CPU at rest", "%", (1.0,)),), (columns.HEAD, *rows))
    return "# Page\n\n" + "\n".join(page._chapter(chapter) for chapter in (others[0], fleet, others[1]))


def test_the_table_of_the_chapter_is_read_by_its_head() -> None:
    """Its table of figures, and other chapters, are none of its rows."""
    found = draw_fleet.rows(page_of(*map(row, SIZES)))
    assert [one[columns.ISSUERS] for one in found] == list(SIZES)
    assert found[0][columns.MEMORY] == "120.5"


def test_a_page_without_the_chapter_is_no_empty_picture() -> None:
    """The check would pass for ever."""
    with pytest.raises(draw_fleet.NoFleetError):
        draw_fleet.rows("# Page\n\n## Another\n\n| issuers | CPU, % |\n| --- | --- |\n| 1 | 2 |\n")


def test_every_value_is_in_the_picture_and_inside_of_it() -> None:
    """Also one that is 0, early or far above its target."""
    cells = {columns.LATE: "-0.02", columns.CHANGE: "0.000", columns.START: "99999"}
    rows = draw_fleet.rows(page_of(row("1"), row("1000", **cells)))
    root = ET.fromstring(draw_fleet.draw(rows))  # noqa: S314 - ours
    words = {element.text for element in root.iter() if element.tag.endswith("text")}
    assert {"4.2", "120.5", "1.5", "-0.02", "0.000", "99999", "1", "1,000"} <= words
    for circle in (element for element in root.iter() if element.tag.endswith("circle")):
        assert 0 < float(circle.attrib["cx"]) < draw_fleet.WIDTH
        assert 0 < float(circle.attrib["cy"]) < draw_fleet.HEIGHT
