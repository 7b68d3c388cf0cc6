"""Ask the probe and independent relying parties about every issuer of the gallery, and write down what they say."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.gallery import resolvconf  # noqa: E402
from tests.gallery.case import Case  # noqa: E402
from tests.gallery.cases import CASES  # noqa: E402
from tests.gallery.judges import recorded  # noqa: E402
from tests.gallery.judges.apiserver import KubeAPIServer  # noqa: E402
from tests.gallery.judges.party import Judge, Opinion, Question, go_party, node_party, python_party  # noqa: E402
from tests.gallery.material import Certificates  # noqa: E402
from tests.gallery.nameserver import NameServer  # noqa: E402
from tests.gallery.place import Place  # noqa: E402
from tests.gallery.served import judged, serving  # noqa: E402
from tests.support import namespace  # noqa: E402

#: An issuer in good order, which every judge has to accept: a judge that refuses everything says nothing.
GOOD = "in-good-order"
_AT_ONCE = 8
_TRIES = 5


def main() -> int:
    """Ask everybody, or the probe alone with --probe, and write tests/gallery/judges/recorded.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probe", action="store_true", help="ask the probe alone, and keep what the judges said")
    probe_alone = parser.parse_args().probe
    namespace.clean_environment()
    with tempfile.TemporaryDirectory(prefix="oidc-publisher-gallery-") as folder:
        work = Path(folder)
        # What needs the network is fetched before there is none.
        programs = [] if probe_alone else _programs()
        try:
            namespace.prepare()
            namespace.enter()
            resolvconf.enter()
        except (namespace.NamespaceImpossibleError, OSError) as error:
            print(f"gallery: {error}; run it as root, or allow user namespaces", file=sys.stderr)
            return 2
        judges = [*programs, KubeAPIServer(work / "apiserver")] if programs else []
        with NameServer(resolvconf.PORT) as nameserver:
            recorded.write(_asked(Certificates(work / "certificates"), nameserver, judges, work / "roots.pem"))
    print(f"wrote {recorded.FILE.relative_to(ROOT)}; run make gen")
    return 0


def _programs() -> list[Judge]:
    return [python_party("PyJWT", "pyjwt"), python_party("joserfc", "joserfc"), go_party(), node_party()]


def _asked(certificates: Certificates, nameserver: NameServer, judges: list[Judge], roots: Path) -> recorded.Records:
    roots.write_text(certificates.trusted_pem)
    with _all_served(certificates, nameserver) as places:
        said = asyncio.run(_probed(places))
        questions = [Question.of(case, place) for case, place in places]
        good = questions[-1]
        opinions: dict[str, dict[str, Opinion]] = {question.name: {} for question in questions}
        for judge in judges:
            began = time.monotonic()
            for name, opinion in judge.ask(questions, roots).items():
                issuer = next(q.issuer for q in questions if q.name == name)
                says = recorded.without_chance(opinion.says, issuer)
                opinions[name][judge.name] = replace(opinion, says=says)
            if not opinions[good.name][judge.name].accepts:
                raise RuntimeError(f"{judge.name} refuses a good issuer: {opinions[good.name][judge.name].says}")
            accepted = sum(o[judge.name].accepts for o in opinions.values()) - 1
            print(f"  {judge.name:15} {judge.version:10} accepts {accepted:3} ({time.monotonic() - began:.0f} s)")
    if not judges:
        kept = recorded.read()
        records = {name: recorded.Record(said[name], kept.cases[name].judges) for name in CASES}
        return recorded.Records(kept.versions, records)
    records = {name: recorded.Record(said[name], opinions[name]) for name in CASES}
    return recorded.Records({judge.name: judge.version for judge in judges}, records)


@contextlib.contextmanager
def _all_served(certificates: Certificates, nameserver: NameServer) -> Iterator[list[tuple[Case, Place]]]:
    """Serve every case with its fault, and at last an issuer in good order."""
    with contextlib.ExitStack() as stack:
        places = []
        good = replace(next(iter(CASES.values())), name=GOOD, fault=lambda _: None)
        for case in (*CASES.values(), good):
            place = stack.enter_context(serving(case, certificates, nameserver))
            case.fault(place)
            places.append((case, place))
        yield places


async def _probed(places: list[tuple[Case, Place]]) -> dict[str, tuple[str, ...]]:
    """Return what the probe says."""
    few = asyncio.Semaphore(_AT_ONCE)

    async def probed(case: Case, place: Place) -> tuple[str, tuple[str, ...]]:
        async with few:
            for _ in range(_TRIES):  # on a busy machine a host may be slow beside its fault
                findings = (await judged(case, place)).findings
                if {finding.reason for finding in findings} == case.reasons or case.name == GOOD:
                    return case.name, recorded.messages(findings, place.issuer)
        raise RuntimeError(f"{case.name}: {findings}")

    return dict(await asyncio.gather(*(probed(case, place) for case, place in places)))


if __name__ == "__main__":
    sys.exit(main())
