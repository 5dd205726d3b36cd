# SPDX-License-Identifier: Apache-2.0
"""Floods: clients that misuse the host, while a healthy one measures and memory stays within its bound."""
import json
import multiprocessing
import random
import time
from functools import partial

from host import Client, Host, raw, together, wait_until
from kills import fs

LIMIT_MIB = 64  # server.maxMemory
BASE_MIB = 60   # beyond that: the idle program with OpenSSL, its threads' stacks, and what the allocator keeps
SLOWEST = 5.0   # seconds that a healthy request may take at most on a loaded machine
HEAD = "Host: localhost\r\n"


def hold(sockets, chance, stop):
    """Keeps the sockets open for a while without reading."""
    stop.wait(chance.uniform(0.1, 1))
    for each in sockets:
        each.close()


def slow_reader(port, chance, stop):
    sockets = [raw(port, f"GET /big/long HTTP/1.1\r\n{HEAD}\r\n".encode(), 4096) for _ in range(12)]
    for each in sockets:
        each.recv(100)
    hold(sockets, chance, stop)


def whole_reader(port, chance, stop):
    """The same of a store that does not stream."""
    sockets = [raw(port, f"GET /whole/long HTTP/1.1\r\n{HEAD}\r\n".encode(), 4096) for _ in range(12)]
    hold(sockets, chance, stop)


def stalled_upload(port, chance, stop):
    """Uploads that stop before their end, of short values and of long ones; together these exceed maxMemory."""
    mount = chance.choice(("big", "whole"))
    size, sent = chance.choice(((100_000, 65_000), (7_000_000, 6_900_000), (20_000_000, 65_000)))
    sockets = []
    try:
        for number in range(12):
            head = f"PUT /{mount}/stalled{number} HTTP/1.1\r\n{HEAD}Content-Length: {size}\r\n\r\n"
            sockets.append(raw(port, head.encode() + bytes(sent)))
    except OSError:
        pass  # refused, since there is no more memory
    hold(sockets, chance, stop)


def announced(port, chance, stop):
    """Bodies that are announced and never sent."""
    sockets = [raw(port, f"PUT /whole/none HTTP/1.1\r\n{HEAD}Content-Length: 60000000\r\n\r\n".encode()) for _ in range(20)]
    hold(sockets, chance, stop)


def big_batch(port, chance, _stop):
    items = [{"key": f"b{number}", "value": "x" * 300} for number in range(5000)]
    body = json.dumps({"set": items, "get": ["long"] * 50}).encode()
    made = raw(port, f"POST /whole/ HTTP/1.1\r\n{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    made.settimeout(10)
    made.recv(100)
    made.close()


def half_head(port, chance, stop):
    sockets = [raw(port, b"GET /ok/x HTTP/1.1\r\nHost: local") for _ in range(20)]
    hold(sockets, chance, stop)


def wrong_request(port, chance, _stop):
    texts = [b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"A" * 40_000, b"PUT /ok/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
             b"PUT /ok/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", chance.randbytes(500),
             b"POST /ok/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{\"set\":[[", b"GET /%00%ff HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    for text in chance.choices(texts, k=20):
        made = raw(port, text)
        made.close()


def churn(port, _chance, _stop):
    for _ in range(100):
        raw(port).close()


def events(port, chance, stop):
    """Streams of events that nobody reads."""
    sockets = [raw(port, f"GET /whole/ HTTP/1.1\r\n{HEAD}Accept: text/event-stream\r\n\r\n".encode(), 4096) for _ in range(10)]
    hold(sockets, chance, stop)


ATTACKS = [slow_reader, whole_reader, stalled_upload, stalled_upload, announced, big_batch, half_head, wrong_request, churn, events]


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] if times else 0


def run(torture, seconds):
    config = {"server": {"maxMemory": f"{LIMIT_MIB}MiB"},
              "mounts": {"ok": {"driver": "memory"}, "whole": {"driver": "memory"}, "big": fs("big")}}
    report, folder = torture.report, torture.folder("floods")
    host = Host(torture.build, folder, config, report)
    host.start()
    client = Client(host)
    client.ask("PUT", "/big/long", bytes(48 << 20))
    client.ask("PUT", "/whole/long", bytes(8 << 20))
    client.ask("POST", "/whole/", json.dumps({"set": [{"key": f"b{number}", "value": "x" * 300} for number in range(5000)]}))
    client.close()
    wait_until(lambda: host.stats()["memory"]["used"] == 0, 5)
    stored = 8 + 4  # MiB: what the memory mount holds by itself
    stop, figures = multiprocessing.Event(), {"get": [], "put": [], "health": []}
    attacks, most = multiprocessing.Value("i"), 0

    def attack(number, kind):
        chance = random.Random(f"{torture.seed} floods {number}")
        while not stop.is_set():
            try:
                kind(host.port, chance, stop)
                with attacks.get_lock():
                    attacks.value += 1
            except OSError:
                pass  # the host may well refuse or cut these

    # A process of its own, so that the interpreter's lock does not slow the healthy client.
    attackers = multiprocessing.get_context("fork").Process(
        target=lambda: together(report, [partial(attack, *each) for each in enumerate(ATTACKS)])())
    attackers.start()

    def healthy():
        mine = Client(host)
        number = 0
        while not stop.is_set():
            number += 1
            body = f"value {number}".encode()
            for method, sent in (("put", body), ("get", None)):
                answer = mine.ask(method.upper(), "/ok/healthy", sent)
                figures[method].append(answer.ended - answer.began)
                if answer.status != 200 or (method == "get" and answer.body != body):
                    report.fault(f"the healthy client's {method} during floods: {answer.status} {answer.body[:200]!r} "
                                 f"(seed {torture.seed})")
                    return

    def watch():
        nonlocal most
        admin = Client(host, admin=True)
        while not stop.is_set():
            for page in ("/health", "/stats"):
                answer = admin.ask("GET", page)
                figures["health"].append(answer.ended - answer.began)
                if answer.status != 200:
                    report.fault(f"{page} during floods: {answer.status}")
            most = max(most, host.status("VmRSS"))
            stop.wait(0.02)
        admin.close()

    join = together(report, [healthy, watch])
    stop.wait(seconds)  # how long the floods last
    stop.set()
    join()
    attackers.join()
    peak = max(most, host.status("VmHWM"))
    bound = LIMIT_MIB + BASE_MIB + stored
    if peak > bound * 1024:
        report.fault(f"peak memory {peak // 1024} MiB is above {bound} MiB: maxMemory {LIMIT_MIB}, values {stored}, base {BASE_MIB}")
    for name, times in figures.items():
        if times and max(times) > SLOWEST:
            report.fault(f"the slowest {name} during floods took {max(times):.1f} s, above {SLOWEST} s")

    def idle():
        stats = host.stats()
        threads = stats["threads"]
        state = {"memory": stats["memory"]["used"], "busy": threads["total"] - threads["idle"], "stuck": threads["stuck"],
                 "waiting": threads["waiting"], "connections": stats["listeners"][0]["connections"],
                 "in_flight": sum(each["in_flight"] for each in stats["mounts"])}
        left.clear()
        left.update({name: value for name, value in state.items() if value})
        return not left

    left = {}
    began = time.monotonic()
    if not wait_until(idle, 15):
        report.fault(f"15 s after the floods the host is not idle: {left}")
    settled = time.monotonic() - began
    memory = host.stats()["memory"]
    host.stop()
    torture.figures("floods", operations=len(figures["get"]) + len(figures["put"]), attacks=attacks.value, refused_for_memory=memory["refused"],
                    peak_of_requests_mib=memory["peak"] >> 20,
                    **{f"{name}_{label}_ms": f"{percentile(figures[name], share) * 1000:.1f}"
                       for name in ("get", "put", "health") for label, share in (("p50", 0.5), ("p99", 0.99))},
                    idle_after_s=f"{settled:.2f}", peak_memory_mib=f"{peak // 1024} of {bound}")
