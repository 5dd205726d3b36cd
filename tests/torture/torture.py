# SPDX-License-Identifier: Apache-2.0
"""The program behind scripts/torture, which documents it."""
import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time

import failures
import floods
import kills
import soak
from host import Report

PHASES = {"kills": (kills.run, 0.35), "failures": (failures.run, 0.25), "floods": (floods.run, 0.2),
          "soak": (soak.run, 0.2)}


class Torture:
    """What the phases share: the seed, the build, the folder, the faults and the figures."""

    def __init__(self, options):
        self.seed, self.build, self.json = options.seed, os.path.abspath(options.build), options.json
        self.root = tempfile.mkdtemp(prefix="omnistore-torture-")
        self.report = Report()
        self.results = {}

    def folder(self, phase):
        return os.path.join(self.root, phase)

    def figures(self, phase, **figures):
        self.results[phase] = figures
        print(f"{phase:9}" + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items()), flush=True)

    def skip(self, phase, why):
        self.results[phase] = {"skipped": why}
        print(f"{phase:9}skipped: {why}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/torture")
    parser.add_argument("minutes", nargs="?", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--phase", action="append", choices=PHASES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not os.access(os.path.join(options.build, "bin/omnistore"), os.X_OK):
        parser.error(f"{options.build}/bin/omnistore is not there: scripts/build makes it")
    torture = Torture(options)
    output = sys.stdout
    if options.json:
        sys.stdout = sys.stderr  # lines for people go to standard error
    chosen = options.phase or list(PHASES)
    repeat = f"scripts/torture {options.minutes:g} --seed {options.seed}" + "".join(f" --phase {each}" for each in options.phase or [])
    print(f"seed {options.seed}; repeat with: {repeat}", flush=True)
    began, total = time.monotonic(), sum(PHASES[each][1] for each in chosen)
    for each in chosen:
        run, share = PHASES[each]
        torture.report.begin_phase()
        try:
            run(torture, options.minutes * 60 * share / total)
        except Exception as error:  # the other phases still run
            torture.report.fault(f"{each}: {error!r}")
            if os.environ.get("TORTURE_TRACE"):
                raise
    faults = torture.report.faults
    if faults:
        print(f"{len(faults)} faults; what was served and the logs are kept in {torture.root}\nrepeat with: {repeat}")
    else:
        shutil.rmtree(torture.root)
        print(f"nothing lost, no bound broken, {time.monotonic() - began:.0f} s")
    if options.json:
        print(json.dumps({"seed": options.seed, "phases": torture.results, "faults": faults}), file=output)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
