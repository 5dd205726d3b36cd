# SPDX-License-Identifier: Apache-2.0
"""A host process of the torture, and the client that talks to it."""
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import traceback


class Gone(Exception):
    """The host gave no answer: it was killed, or it broke the connection."""


class Report:
    """Collects what went wrong, from any thread."""

    def __init__(self):
        self.faults = []
        self._before = 0
        self._lock = threading.Lock()

    def begin_phase(self):
        self._before = len(self.faults)

    @property
    def broken(self):
        """Returns true if this phase has found a fault."""
        return len(self.faults) > self._before

    def fault(self, text):
        with self._lock:
            self.faults.append(text)
            if len(self.faults) <= 20:
                print(f"FAULT {text}", flush=True)


def wait_until(condition, seconds):
    """Returns the condition's value as soon as it is true, or the last one after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.01)


def together(report, works):
    """Starts a thread for each function. Returns a function that waits for all; what one raises is a fault."""
    def guarded(work):
        try:
            work()
        except Gone:
            pass
        except Exception:
            report.fault(f"the torture itself failed: {traceback.format_exc()}")
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for each in threads:
        each.start()

    def join():
        for each in threads:
            each.join()
    return join


class Host:
    """One config in one folder, and the process that serves it. Ports are free ones, new with each start."""

    def __init__(self, build, folder, config, report):
        self.build, self.folder, self.report = build, folder, report
        self.process = self.port = self.admin = None
        self.ending = False  # the torture ends the process itself
        os.makedirs(folder, exist_ok=True)
        self.write_config(config)

    def write_config(self, config):
        config = {**config, "admin": {"listen": "127.0.0.1:0"}}
        config["server"] = {**config.get("server", {}), "http": {"listen": "127.0.0.1:0"}}
        path = os.path.join(self.folder, "torture.json")
        with open(path + ".new", "w") as file:
            json.dump(config, file, indent=1)
        os.replace(path + ".new", path)

    def launch(self):
        """Starts the process without waiting for it."""
        self.ending = False
        with open(os.path.join(self.folder, "log"), "a") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.build, "bin/omnistore"), "-c", "torture.json", "--json", "serve"],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env={**os.environ, "XDG_CACHE_HOME": os.path.join(self.folder, "cache")})

    def start(self):
        """Starts the process and returns when it serves."""
        self.launch()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the host did not start, exit code {self.process.wait()}: see {self.folder}/log")
        serves = json.loads(line)
        self.port = int(serves["http"].rsplit(":", 1)[1])
        self.admin = int(serves["admin"].rsplit(":", 1)[1])

    def kill(self):
        self.ending = True
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """Asks the process to stop; anything but exit code 0 is a fault."""
        self.ending = True
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.report.fault(f"the host does not stop within 30 s of SIGTERM: {self.folder}")
            self.process.kill()
            code = self.process.wait()
        else:
            if code != 0:
                self.report.fault(f"the host ended with code {code} after SIGTERM: {self.folder}/log")
        self.process.stdout.close()

    def gone(self, where):
        """Notes a missing answer as a fault if the torture did not end the host itself."""
        if self.ending:
            return
        code = wait_until(self.process.poll, 0.2)
        if code is None:
            self.report.fault(f"no answer to {where}, although the host lives")
        elif not self.ending:
            self.report.fault(f"the host died by itself, code {code}, during {where}: see {self.folder}/log")

    def status(self, name):
        """A number of /proc/PID/status, such as VmRSS in KiB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith(name + ":"):
                    return int(line.split()[1])
        return 0

    def stats(self):
        client = Client(self, admin=True)
        try:
            return json.loads(client.ask("GET", "/stats").body)
        finally:
            client.close()


class Answer:
    def __init__(self, status, headers, body, began, ended):
        self.status, self.headers, self.body = status, headers, body
        self.began, self.ended = began, ended  # Unix seconds: before it was sent, after it was read

    @property
    def ok(self):
        return 200 <= self.status < 300


class Client:
    """One keep-alive connection, for one thread."""

    def __init__(self, host, admin=False, timeout=60):
        self.host = host
        self._last = "nothing"  # the last request on this connection
        self._connection = http.client.HTTPConnection("127.0.0.1", host.admin if admin else host.port, timeout=timeout)

    def ask(self, method, target, body=None, headers=None):
        """Returns the answer, or raises Gone. A repeat would hide what is unknown, so there is none."""
        began = time.time()
        try:
            self._connection.request(method, target, body, headers or {})
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self.host.gone(f"{method} {target} {headers or ''} ({error!r}); before on this connection: {self._last}")
            raise Gone() from error
        self._last = f"{method} {target} {response.status} {dict(response.headers)}"
        return Answer(response.status, response.headers, content, began, time.time())

    def close(self):
        self._connection.close()


def raw(port, text=b"", receive=None):
    """A socket to the port on which the text was sent; receive limits its buffer, for a slow reader."""
    made = socket.socket()
    if receive:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    made.settimeout(5)
    try:
        made.connect(("127.0.0.1", port))
        made.sendall(text)
    except OSError:
        made.close()
        raise
    return made
