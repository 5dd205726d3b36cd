# SPDX-License-Identifier: Apache-2.0
"""What a part of the key space must hold, and the operations that change it.

Each Space belongs to one thread. For each key it keeps the states that are possible: one after an answer, two or more
after a write whose outcome is not known. A read must find one of them, and then only that one is possible.
"""
import base64
import hashlib
import json
from collections import deque
from typing import NamedTuple, Optional
from urllib.parse import quote, unquote


class Value(NamedTuple):
    counter: int
    size: int
    soonest: Optional[float] = None  # Unix seconds between which it expires; None: never
    latest: Optional[float] = None

    def __str__(self):
        end = f", expires at {self.soonest:.3f}" if self.soonest else ""
        return f"#{self.counter} of {self.size} bytes{end}"


def content(key, value):
    """The bytes of a value: key and counter, and behind them bytes that follow from these and from their place."""
    head = f"{key} #{value.counter} {value.size} ".encode()
    rest = max(0, value.size - len(head))
    return head[:value.size] + hashlib.shake_128(head).digest(rest)


def describe(value):
    return "no value" if value is None else str(value)


class Space:
    """The keys under mount/base. `may_fail` says that operations may be refused, as while failures are injected."""

    NAMES = ["a", "b", "c", "a/x", "a/y", "d/1", "d/2", "d/e/3", "d/e", "f"]

    def __init__(self, report, random, mount, base, seed, largest=3 << 20):
        self.report, self.random, self.seed = report, random, seed
        self.path, self.largest = f"{mount}/{base}", largest
        self.states, self.history = {}, {}
        self.client = None
        self.may_fail = self.blind = False  # blind: reads are not compared while operations may fail
        self.single = True  # false: one of several stores may have taken a write that was refused
        self.counter = self.operations = self.refused = self.lost = 0

    # ---------------------------------------------------------------- the model

    def possible(self, name):
        return self.states.get(name, {None})

    def note(self, name, text):
        """Remembers what was done with a key, for the report of a fault."""
        self.history.setdefault(name, deque(maxlen=8)).append(text + (" under failures" if self.may_fail else ""))

    def fault(self, text, name=None):
        self.lost += 1
        if name:
            text += f"; before: {', '.join(self.history.get(name, ['nothing']))}"
        when = " while failures are injected" if self.may_fail else ""
        self.report.fault(f"{text} (seed {self.seed}{when})")

    def failed(self, what, answer):
        """Counts a refusal, which is a fault unless failures are injected."""
        self.refused += 1
        if not self.may_fail:
            self.fault(f"{what} failed without a cause: {answer.status} {answer.body[:300].decode(errors='replace')}")

    def settle(self, name, before, value, status, body=b""):
        what = "remove" if value is None else f"set #{value.counter} of {value.size}"
        self.note(name, f"{what} {status}" + ("" if status < 300 else f" {body[-160:].decode(errors='replace')}"))
        if 200 <= status < 300:
            self.states[name] = {value}
            return
        self.refused += 1
        if not self.may_fail:
            self.fault(f"a write of {self.path}/{name} failed without a cause: {status} {body[:300]!r}")
        elif status == 507 and self.single:
            self.states[name] = before  # refused, so nothing changed

    @staticmethod
    def absent(value, answer):
        """Returns true if a reader may find no value where this one was written."""
        return value is None or (value.soonest is not None and answer.ended >= value.soonest)

    @staticmethod
    def present(value, answer):
        return value is not None and (value.latest is None or answer.began <= value.latest + 0.05)

    def compare(self, name, answer, body, status, how):
        """Compares a read with what is possible; body None: only the size in `status`' answer is known."""
        key, states = f"{self.path}/{name}", self.possible(name)
        self.note(name, f"{how} {status}")
        if status == 404:
            match = {None} if any(self.absent(each, answer) for each in states) else set()
        elif status == 200:
            match = {each for each in states if self.present(each, answer) and
                     len(body) == each.size and body == content(key, each)}
        else:
            return self.failed(f"{how} {key}", answer)
        if self.blind and self.may_fail:
            return None  # what a cache serves while its origin fails says nothing about the origin
        if match:
            self.states[name] = match
        else:
            found = "no value" if status == 404 else f"{len(body)} bytes beginning with {body[:80]!r}"
            self.fault(f"{how} {key}: expected {' or '.join(sorted(map(describe, states)))}, found {found}", name)
            self.states[name] = {None} if status == 404 else states
        return None

    # ---------------------------------------------------------------- operations

    def ask(self, method, target, body=None, headers=None):
        self.operations += 1
        return self.client.ask(method, "/" + quote(self.path) + "/" + target, body, headers)

    def fresh(self, largest=None):
        pick = self.random.random()
        largest = min(largest or self.largest, self.largest)
        if pick < 0.08:
            size = 0
        elif pick < 0.7:
            size = self.random.randint(1, 2000)
        elif pick < 0.93:
            size = self.random.randint(1, min(largest, 100_000))
        else:
            size = self.random.randint(1, largest)
        self.counter += 1
        return Value(self.counter, size)

    def name(self):
        return self.random.choice(self.NAMES)

    def set(self, name, headers=None, ttl=None):
        """Sets a fresh value; ttl in seconds. Returns the answer."""
        value, before = self.fresh(), self.possible(name)
        body = content(f"{self.path}/{name}", value)
        self.states[name] = before | {value}
        headers = dict(headers or {})
        if ttl is not None:
            headers["X-Ttl"] = str(ttl)
        answer = self.ask("PUT", name, body, headers)
        if ttl is not None:
            value = value._replace(soonest=answer.began + ttl - 0.01, latest=answer.ended + ttl + 0.01)
        if answer.status == 412 and ("If-Match" in headers or "If-None-Match" in headers):
            self.states[name] = before
        else:
            self.settle(name, before, value, answer.status, answer.body)
        return answer

    def remove(self, name):
        before = self.possible(name)
        self.states[name] = before | {None}
        answer = self.ask("DELETE", name)
        self.settle(name, before, None, answer.status, answer.body)

    def get(self, name):
        answer = self.ask("GET", name)
        self.compare(name, answer, answer.body, answer.status, "get")
        return answer

    def head(self, name):
        answer = self.ask("HEAD", name)
        states = self.possible(name)
        if answer.status == 404:
            right = any(self.absent(each, answer) for each in states)
        elif answer.status == 200:
            size = int(answer.headers["Content-Length"])
            right = any(self.present(each, answer) and each.size == size for each in states)
        else:
            self.failed(f"head {self.path}/{name}", answer)
            return answer
        if not right and not (self.blind and self.may_fail):
            self.fault(f"head {self.path}/{name}: expected {' or '.join(sorted(map(describe, states)))}, "
                       f"found {answer.status} with {answer.headers.get('Content-Length')} bytes", name)
        return answer

    def clear(self, base=""):
        before = {}
        for name in self.NAMES:
            if name.startswith(base) and name != base:
                before[name] = self.possible(name)
                self.states[name] = before[name] | {None}
        answer = self.ask("DELETE", base)
        for name, old in before.items():
            self.settle(name, old, None, answer.status if answer.ok or not self.may_fail else 500, answer.body)

    def batch(self):
        names = self.random.sample(self.NAMES, self.random.randint(1, len(self.NAMES)))
        work, before, values = {"set": [], "get": [], "remove": []}, {}, {}
        for name in names:
            kind = self.random.choice(("set", "set", "get", "remove"))
            if kind == "set":
                values[name] = self.fresh(20_000)
                body = content(f"{self.path}/{name}", values[name])
                work["set"].append({"key": name, "base64": base64.b64encode(body).decode()})
            elif kind == "remove":
                values[name] = None
                work["remove"].append({"key": name})
            else:
                work["get"].append({"key": name})
            if kind != "get":
                before[name] = self.possible(name)
                self.states[name] = before[name] | {values[name]}
        text = {"set": work["set"], "get": [each["key"] for each in work["get"]],
                "remove": [each["key"] for each in work["remove"]]}
        answer = self.ask("POST", "", json.dumps({kind: items for kind, items in text.items() if items}))
        if not answer.ok:
            self.failed(f"batch {self.path}/", answer)
            return
        done = json.loads(answer.body)
        for kind, items in work.items():
            if not items:
                continue
            if len(done.get(kind, [])) != len(items):
                self.fault(f"batch {self.path}/: {len(items)} items of {kind} have {len(done.get(kind, []))} answers")
                continue
            for item, result in zip(items, done[kind]):
                if kind == "get":
                    body = base64.b64decode(result["base64"]) if "base64" in result else result.get("value", "").encode()
                    self.compare(item["key"], answer, body, result["status"], "batch get")
                else:
                    name = item["key"]
                    self.settle(name, before[name], values[name], result["status"], str(result).encode())

    def list(self):
        limit, cursor, found, skipped = self.random.choice((None, 1, 2, 5)), None, [], []
        first = last = None
        while True:
            query = "" if limit is None else f"?limit={limit}" + (f"&cursor={quote(cursor)}" if cursor else "")
            last = self.ask("GET", query)
            first = first or last
            if not last.ok:
                self.failed(f"list {self.path}/", last)
                return
            skipped += [unquote(item.strip().split(";")[0]).replace(":", "/")
                        for item in last.headers.get("X-Skipped", "").split(",") if item.strip()]
            found += [key.replace(":", "/").removeprefix(self.path + "/") for key in json.loads(last.body)]
            cursor = last.headers.get("X-Cursor")
            if not cursor:
                break
        last.began = first.began
        if self.blind and self.may_fail:
            return
        if len(found) != len(set(found)):
            self.fault(f"list {self.path}/: keys come twice in {found}")
        for name in set(found) | set(self.NAMES):
            states = self.possible(name)
            right = any((self.present if name in found else self.absent)(each, last) for each in states)
            whole = f"{self.path}/{name}/"  # a listing may lack what it says that it has left out
            if not right and (name in found or not any(whole.startswith(base) for base in skipped)):
                self.fault(f"list {self.path}/: {name} is {'there' if name in found else 'missing'}, "
                           f"expected {' or '.join(sorted(map(describe, states)))}", name)

    def verify(self):
        """Reads all and compares it, and the listing with it."""
        for name in self.NAMES:
            self.get(name)
        self.list()

    def step(self):
        """One random operation."""
        pick = self.random.random()
        if pick < 0.48:
            self.set(self.name())
        elif pick < 0.63:
            self.remove(self.name())
        elif pick < 0.76:
            self.get(self.name())
        elif pick < 0.80:
            self.head(self.name())
        elif pick < 0.92:
            self.batch()
        elif pick < 0.97:
            self.list()
        else:
            self.clear(self.random.choice(("", "d/")))
