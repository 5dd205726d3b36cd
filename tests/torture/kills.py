# SPDX-License-Identifier: Apache-2.0
"""Kills: writers work, the host is killed at random moments, and every acknowledged state must be there afterwards."""
import os
import random
import time
from functools import partial

from host import Client, Host, together, wait_until
from model import Space

WRITERS = 4


def fs(folder, durability="none"):
    return {"driver": "fs", "options": {"base": "./" + folder, "durability": durability}}


MOUNTS = {
    "none": fs("none"), "data": fs("data", "data"), "full": fs("full", "full"),
    "layers": {"driver": "overlay", "options": {"writeTo": 0}, "layers": [fs("upper"), fs("lower")]},
    "both": {"driver": "overlay", "options": {"writeTo": "all"}, "layers": [fs("both-upper"), fs("both-lower")]},
    "promote": {"driver": "overlay", "options": {"writeTo": 1, "promote": True},
                "layers": [{"driver": "memory"}, fs("promoted")]},
    "cache": {**fs("copies"), "invalidation": {"maxAge": 60}, "origin": fs("origin")},
}


def leftovers(folder):
    """Temporary files below the folder."""
    return [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names
            if name.endswith(".omnistore-tmp$")]


def marks(folder):
    """The marks of open stores on the folders of the mounts."""
    return [f"{each.path} {name}" for each in os.scandir(folder) if each.is_dir()
            for name in os.listxattr(each.path) if name.startswith("user.omnistore.store.")]


def spaces_of(torture, phase):
    """For each writer, a space in each mount."""
    return [[Space(torture.report, random.Random(f"{torture.seed} {phase} {writer} {mount}"), mount, f"w{writer}",
                   torture.seed) for mount in MOUNTS] for writer in range(WRITERS)]


def verify_all(host, spaces, report):
    """Compares all spaces with the host, a thread for each writer."""
    def work(mine):
        client = Client(host)
        for space in mine:
            space.client = client
            space.verify()
        client.close()
    together(report, [partial(work, mine) for mine in spaces])()


def write(host, mine, chance, until=None):
    """Random operations until the host is gone, or `until` is set."""
    client = Client(host)
    for space in mine:
        space.client = client
    while until is None or not until.is_set():
        chance.choice(mine).step()
    client.close()


def run(torture, seconds):
    folder = torture.folder("kills")
    host = Host(torture.build, folder, {"mounts": MOUNTS}, torture.report)
    chance = random.Random(f"{torture.seed} kills")
    spaces = spaces_of(torture, "kills")
    end, kills, cut, round_number, peak = time.monotonic() + seconds, 0, 0, 0, 0
    while time.monotonic() < end and not torture.report.broken:
        round_number += 1
        if chance.random() < 0.2:  # killed while it starts, and cleans up after the last kill
            host.launch()
            time.sleep(chance.uniform(0, 0.08))
            host.kill()
            kills += 1
        host.start()
        verify_all(host, spaces, torture.report)
        join = together(torture.report, [partial(write, host, mine, random.Random(f"{torture.seed} {round_number} {at}"))
                                         for at, mine in enumerate(spaces)])
        time.sleep(chance.uniform(0.01, 0.6))  # the moment of the kill, not a wait
        peak = max(peak, host.status("VmHWM"))
        host.kill()
        kills += 1
        join()
        cut += len(leftovers(folder))
    host.start()
    verify_all(host, spaces, torture.report)
    host.stop()
    host.start()
    if not wait_until(lambda: not leftovers(folder), 20):
        torture.report.fault(f"temporary files are left after a clean start: {leftovers(folder)[:3]}")
    host.stop()
    if marks(folder):
        torture.report.fault(f"marks of open stores are left after a clean stop: {marks(folder)}")
    every = [space for mine in spaces for space in mine]
    torture.figures("kills", operations=sum(each.operations for each in every), kills=kills,
                    cut_off_files=cut, lost=sum(each.lost for each in every), peak_memory_mib=peak // 1024)
