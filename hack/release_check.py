"""Make what a release would publish into dist/, show it, and say what speaks against it; nothing is pushed anywhere.

Exit code 0: a release may go out; 1: something speaks against it; 2: the artefacts could not be made.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hack.release.artefacts import bom_line, chart_line, package_chart, write_bom  # noqa: E402
from hack.release.checks import checkout_lines  # noqa: E402
from hack.release.image import image_lines  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hack.release.checks import Line

#: Where the workflow pushes for a repository OWNER/NAME; here its name stands for it.
_HERE = "ghcr.io/OWNER/oidc-publisher"


def main(arguments: list[str] | None = None) -> int:
    """Print a line for each artefact and each check."""
    options = _parsed(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        lines = checkout_lines(options.tag)
        lines += image_lines() if options.image else []
        lines.append(chart_line(package_chart(options.folder, options.repository, options.digest)))
        lines.append(bom_line(write_bom(options.folder)))
    except (subprocess.CalledProcessError, OSError, ValueError) as error:
        print(f"release-check: {error}{getattr(error, 'stderr', None) or ''}", file=sys.stderr)
        return 2
    return _tell(lines)


def _tell(lines: Iterable[Line]) -> int:
    problems = 0
    for line in lines:
        problems += line.wrong
        print(f"{'no' if line.wrong else 'ok':3} {line.what:10} {line.found}")
    print(f"release-check: {f'{problems} to mend' if problems else 'all good'}; nothing was pushed")
    return 1 if problems else 0


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tag", default="", help="the tag that the release is made from; else those at this commit")
    parser.add_argument("--repository", default=_HERE, help="where the image is, for the chart")
    parser.add_argument("--digest", default="", help="the image's digest in the registry, for the chart")
    parser.add_argument("--folder", type=Path, default=ROOT / "dist", help="where the artefacts go")
    parser.add_argument("--no-image", dest="image", action="store_false", help="leave the image out")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
