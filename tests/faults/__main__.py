"""The campaign of faults: `python -m tests.faults --faults 100 --seed 1`. Prints a Markdown table; exit code 1 if one broke.

Drives the command line in a home of its own, strikes at it at drawn moments, gives the same command again and checks what
must hold whatever happened (invariants.py). With the right to mount, the home is on a small disk, which can be full.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.campaign import Campaign, Row
from tests.faults.faults import CHANGES, faults
from tests.faults.places import PLACES
from tests.faults.world import World


def main() -> int:
    """Runs the campaign and returns the exit code."""
    parser = argparse.ArgumentParser("tests.faults", description=__doc__)
    parser.add_argument("--platform", choices=PLACES, default="process", help="Where jobs and servers run.")
    parser.add_argument("--faults", type=int, default=100, help="How many to strike with.")
    parser.add_argument("--seed", type=int, default=1, help="Draws faults, moments and damages.")
    parser.add_argument("--only", default="", help="Only faults with these words in their name.")
    parser.add_argument("--during", nargs="+", choices=CHANGES, default=CHANGES, help="Only during these commands.")
    parser.add_argument("--keep", action="store_true", help="Keep the folder with what the commands printed.")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))  # so that nothing is left running
    draw = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    world = World(folder / "world", options.platform)
    known = [
        during
        for fault in faults(world.place.roles)
        if options.only in fault.name and (during := fault.during(options.during))
    ]
    chosen = [fault for _ in range(-(-options.faults // len(known))) for fault in draw.sample(known, len(known))]
    rows: list[Row] = []
    begun = time.time()
    try:
        campaign = Campaign(world, draw)
        campaign.prepare(with_runs="run" in options.during)
        print(f"<!-- prepared in {time.time() - begun:.0f} s; what was printed: {folder} -->", flush=True)
        print("| # | fault | during | moment | seconds | broken |\n| --- | --- | --- | --- | --- | --- |", flush=True)
        for row in campaign.rows(chosen[: options.faults]):
            rows.append(row)
            cells = [row.number, row.fault, row.command, row.moment, f"{row.seconds:.0f}", "; ".join(row.broken) or "-"]
            print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
    finally:
        if options.keep:
            os.rename(world.root / "commands", folder / "commands")
        world.close()
    struck, broken = sum(row.struck for row in rows), sum(bool(row.broken) for row in rows)
    print(f"\n{struck} faults with seed {options.seed} in {time.time() - begun:.0f} s, {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
