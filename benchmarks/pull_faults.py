"""The pull killed with SIGKILL at random moments, over 50 studies of an Orthanc: lost, counted twice, half-written, counted and printed.

python benchmarks/pull_faults.py [--kills 200] [--rounds 10]

Each round starts with an empty data folder; whole passes (look, fetch, check, report) are killed at random moments after they
began, then one runs to its end. After each kill every file that has a name in the spool is compared with what was sent.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "e2e"))

from orthanc_peer import orthanc
from pacs_peers import body, kept, series

from flows.spool import INCOMING
from reports.store import open_store
from reports.store import schema as t
from reports.store.lookup import CURRENT

ROOT = Path(__file__).parents[1]
STUDIES, IMAGES = 50, 6
PASS = "import sys; from flows import daily, settings\nprint('go', flush=True); daily.run_pass(settings.load(), patient=False)"
LONGEST_S = 6.0


def start(top: Path) -> subprocess.Popen[bytes]:
    """Begin a pass in a process of its own; return when it has loaded what it needs."""
    environment = {**os.environ, "PACSQC_CONFIG": str(top / "pacsqc.toml"), "PACSQC_DATA_FOLDER": str(top / "data")}
    with (top / "stderr").open("wb") as told:
        child = subprocess.Popen([sys.executable, "-c", PASS], stdout=subprocess.PIPE, stderr=told, cwd=ROOT, env=environment)
    assert child.stdout
    assert child.stdout.readline() == b"go\n"
    return child


def half(top: Path, bodies: set[bytes]) -> int:
    """Return how many files that have a name are not what was sent."""
    return sum(body(path) not in bodies for path in kept(top / "data" / "spool") if INCOMING not in path.parts)


def counted(top: Path) -> tuple[int, int, int, int]:
    """Return studies with results, studies with more than one current revision, instances, instances noted twice."""
    with open_store(f"sqlite:///{top}/data/results.sqlite") as store, store.reading() as connection:
        studies = list(connection.execute(sa.select(t.study.c.study_uid).where(CURRENT)).scalars())
        instances = list(connection.execute(sa.select(t.instance.c.sop_uid)).scalars())
    return len(set(studies)), len(studies) - len(set(studies)), len(set(instances)), len(instances) - len(set(instances))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=10)
    wanted = parser.parse_args()
    draw, day = random.Random(6), datetime.now() - timedelta(days=1)
    killed = early = lost = twice = torn = 0
    with tempfile.TemporaryDirectory() as place, orthanc(Path(place) / "orthanc") as archive:
        for at in range(STUDIES):
            have = series(f"1.2.3.{at}", IMAGES, size=128, value=at, StudyDate=f"{day:%Y%m%d}")
            archive.push(have)
            archive.have = [*getattr(archive, "have", []), *have]
        bodies = {body(one) for one in archive.have}
        for turn in range(wanted.rounds):
            top = Path(place) / str(turn)
            top.mkdir()
            about = f'[[sources]]\nname = "pacs"\nkind = "dimse"\nhost = "127.0.0.1"\nport = {archive.port}\ntitle = "ORTHANC"\n'
            (top / "pacsqc.toml").write_text(about)
            longest = LONGEST_S
            for _ in range(wanted.kills // wanted.rounds):
                child = start(top)
                wait = draw.uniform(0, longest) ** 2 / longest  # more of them early, where the pull is
                try:
                    child.wait(wait)
                    early += 1  # it had ended by itself
                except subprocess.TimeoutExpired:
                    child.kill()
                    killed += child.wait() == -9
                torn += half(top, bodies)
            child = start(top)
            assert child.wait(600) == 0, (top / "stderr").read_text()[-3000:]
            torn += half(top, bodies)
            studies, more, instances, double = counted(top)
            lost += (STUDIES - studies) + (STUDIES * IMAGES - instances)
            twice += more + double
            spooled = len([path for path in kept(top / "data" / "spool") if INCOMING not in path.parts])
            print(f"round {turn + 1}: {studies} studies, {instances} instances, {spooled} files; killed so far {killed}", file=sys.stderr)
            time.sleep(0)
    print(
        f"killed {killed} times (of {wanted.kills}; {early} had ended before), {STUDIES} studies of {IMAGES} instances in each round of {wanted.rounds}"
    )
    print(f"lost {lost}, counted twice {twice}, half-written files {torn}")
    return 0 if not (lost or twice or torn) else 1


if __name__ == "__main__":
    sys.exit(main())
