# SPDX-License-Identifier: Apache-2.0
"""Failures: strace makes the host's system calls fail at random; what was acknowledged is there, EINTR is never seen."""
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from functools import partial

from host import Host, together, wait_until
from kills import MOUNTS, leftovers, spaces_of, verify_all, write

CALLS = ["write", "pwrite64", "fsync", "fdatasync", "renameat", "renameat2", "openat", "openat2", "unlinkat", "mkdirat"]
ERRORS = ["EIO", "ENOSPC", "EINTR", "EMFILE"]


class Strace:
    """strace on a running host; it returns as soon as the injection holds."""

    def __init__(self, host, calls, log):
        self.log = log
        command = ["strace", "-f", "-p", str(host.process.pid), "-o", log,
                   "-e", "trace=" + ",".join(calls), "-e", "signal=none"]
        for call, (error, when) in calls.items():
            command += ["-e", f"inject={call}:error={error}:when={when}"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.works = " attached" in self.process.stderr.readline()
        self.drain = threading.Thread(target=self.process.stderr.read)  # else the pipe fills with new threads' names
        self.drain.start()

    def end(self):
        """Detaches and returns how many failures were injected."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self.drain.join()
        self.process.stderr.close()
        with open(self.log) as file:
            count = sum("(INJECTED)" in line for line in file)
        os.remove(self.log)
        return count


def run(torture, seconds):
    if not shutil.which("strace"):
        torture.skip("failures", "strace is not installed (apt-get install strace)")
        return
    folder = torture.folder("failures")
    host = Host(torture.build, folder, {"mounts": MOUNTS}, torture.report)
    chance = random.Random(f"{torture.seed} failures")
    spaces = spaces_of(torture, "failures")
    every = [space for mine in spaces for space in mine]
    for space in every:
        space.blind = space.path.startswith("cache/")  # it may serve its copy when the origin fails
        space.single = not space.path.startswith(("both/", "cache/"))
    host.start()
    end, rounds, injected, unlinks_failed = time.monotonic() + seconds, 0, 0, False
    while time.monotonic() < end and not torture.report.broken:
        only_eintr = rounds % 3 == 0
        calls = {}
        for call in CALLS if only_eintr else chance.sample(CALLS, 3):
            error = "EINTR" if only_eintr else chance.choice(ERRORS)
            calls[call] = (error, f"{chance.randint(1, 20)}+{chance.randint(3, 40)}")
        rounds += 1
        for space in every:
            space.may_fail = any(error != "EINTR" for error, _ in calls.values())
        unlinks_failed |= "unlinkat" in calls and not only_eintr
        context = " ".join(f"{call}:{error}:{when}" for call, (error, when) in calls.items())
        strace = Strace(host, calls, os.path.join(folder, "strace"))
        if not strace.works:
            strace.end() if strace.process.poll() is None else strace.drain.join()
            torture.skip("failures", "strace may not attach to a process here")
            break
        done = threading.Event()
        join = together(torture.report, [partial(write, host, mine, random.Random(f"{torture.seed} f{rounds} {at}"), done)
                                         for at, mine in enumerate(spaces)])
        time.sleep(min(chance.uniform(0.3, 1.5), seconds / 4))  # how long the failures last, not a wait
        done.set()
        join()
        injected += strace.end()
        for space in every:
            space.may_fail = False
        if not torture.report.broken:
            verify_all(host, spaces, torture.report)
        if torture.report.broken:
            torture.report.fault(f"the last injected failures were {context}")
    peak = host.status("VmHWM")
    host.stop()
    host.start()
    verify_all(host, spaces, torture.report)
    # A file whose removal was made to fail stays until it is an hour old.
    if not unlinks_failed and not wait_until(lambda: not leftovers(folder), 20):
        torture.report.fault(f"temporary files are left after injected failures: {leftovers(folder)[:3]}")
    host.stop()
    torture.figures("failures", operations=sum(each.operations for each in every), rounds=rounds, injected=injected, left_files=len(leftovers(folder)),
                    refused=sum(each.refused for each in every), lost=sum(each.lost for each in every),
                    peak_memory_mib=peak // 1024)
