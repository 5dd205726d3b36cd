# SPDX-License-Identifier: Apache-2.0
"""Soak: random operations, each compared with a model, while mounts come and go and the config is reloaded."""
import json
import os
import random
import signal
import threading
import time
from functools import partial

from host import Client, Host, together, wait_until
from kills import fs
from model import Space

MOUNTS = {
    "memory": {"driver": "memory"},
    "fs": fs("fs"),
    "overlay": {"driver": "overlay", "options": {"writeTo": 1, "promote": True}, "layers": [{"driver": "memory"}, fs("lower")]},
    "layers": {"driver": "overlay", "options": {"writeTo": 0}, "layers": [fs("top"), {"driver": "memory"}]},
    "cache": {**fs("copies"), "invalidation": {"maxAge": 60}, "origin": fs("origin")},
}


def step(space):
    """One random operation, also with a ttl or a condition."""
    pick, name = space.random.random(), space.name()
    if pick < 0.15:
        space.set(name, ttl=space.random.choice((1, 2, 60)))
    elif pick < 0.3:
        conditional(space, name)
    else:
        space.step()


def conditional(space, name):
    """A write under a condition whose outcome the model knows, unless the value expires about now."""
    states = space.possible(name)
    if len(states) != 1 or any(each and each.soonest for each in states):
        space.get(name)
        return
    there = None not in states
    kind = space.random.choice(("absent", "match", "stale"))
    if kind == "absent":
        right, headers = not there, {"If-None-Match": "*"}
    elif kind == "match":
        answer = space.head(name)
        if (answer.status == 200) != there:
            return  # head has reported it
        right, headers = there, {"If-Match": answer.headers.get("ETag", '"none"')}
    else:
        right, headers = False, {"If-Match": '"torture"'}
    answer = space.set(name, headers)
    if answer.status != (200 if right else 412):
        space.fault(f"put {space.path}/{name} with {headers}: expected {200 if right else 412}, found {answer.status} "
                    f"{answer.body[:200].decode(errors='replace')}, of {' or '.join(map(str, states))}")


def run(torture, seconds):
    report, folder = torture.report, torture.folder("soak")
    config = {"mounts": {"": {"driver": "memory"}, **MOUNTS}}
    host = Host(torture.build, folder, config, report)
    host.start()
    spaces = [Space(report, random.Random(f"{torture.seed} soak {mount} {number}"), mount, f"t{number}", torture.seed, 300_000)
              for mount in MOUNTS for number in range(2)]
    stop, changes = threading.Event(), {"mounts": 0, "reloads": 0}

    def work(space):
        space.client = Client(host)
        while not stop.is_set():
            step(space)
        space.verify()
        space.client.close()

    def expect(answer, status, what):
        if answer.status != status:
            report.fault(f"{what}: expected {status}, found {answer.status} {answer.body[:300]!r} (seed {torture.seed})")

    def control():
        """Mounts, uses and unmounts stores at run time, and reloads configs with and without one more mount."""
        chance, admin, data = random.Random(f"{torture.seed} control"), Client(host, admin=True), Client(host)
        number = 0
        while not stop.is_set():
            number += 1
            store = {"driver": "memory"} if number % 2 else {"driver": "fs", "options": {"base": f"./run{number % 6}"}}
            expect(admin.ask("PUT", "/mounts/extra", json.dumps(store)), 200, "mount extra")
            expect(data.ask("PUT", "/extra/key", f"{number}"), 200, "put extra/key")
            if chance.random() < 0.5:
                with_more = {"mounts": {**config["mounts"], "more": {"driver": "memory"}}} if number % 4 < 2 else config
                done = host.stats()["reloads"]
                host.write_config(with_more)
                host.process.send_signal(signal.SIGHUP)
                if not wait_until(lambda: host.stats()["reloads"] != done, 20):
                    report.fault("a reload by SIGHUP was not done within 20 s")
                changes["reloads"] += 1
            answer = data.ask("GET", "/extra/key")
            if answer.status != 200 or answer.body != f"{number}".encode():
                report.fault(f"get extra/key: expected {number}, found {answer.status} {answer.body[:200]!r}")
            expect(admin.ask("DELETE", "/mounts/extra?wait=10s"), 200, "unmount extra")
            expect(data.ask("GET", "/extra/key"), 404, "get extra/key after its unmount")
            changes["mounts"] += 1
        admin.close()
        data.close()

    def stop_at_end():
        end = time.monotonic() + seconds
        while time.monotonic() < end and not report.broken:
            stop.wait(0.1)
        stop.set()

    together(report, [stop_at_end, control] + [partial(work, each) for each in spaces])()
    peak, files = host.status("VmHWM"), len(os.listdir(f"/proc/{host.process.pid}/fd"))
    failed = host.stats()["reloads"]["failed"]
    if failed:
        report.fault(f"{failed} reloads failed: {folder}/log")
    host.stop()
    torture.figures("soak", operations=sum(each.operations for each in spaces), **changes,
                    lost=sum(each.lost for each in spaces), open_files=files, peak_memory_mib=peak // 1024)
