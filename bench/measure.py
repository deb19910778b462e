# SPDX-License-Identifier: Apache-2.0
"""What is measured: one function per row of the table, each for one server and one repeat."""
import json
import os
import re
import subprocess
import time

from procs import BenchError, Child, machine_cpu_ns, cpu_ns
from servers import CIPHER

MIB = 1024 * 1024
KEEPALIVE_CONNECTIONS = 64
HANDSHAKE_CONNECTIONS = 16
BULK_CONNECTIONS = 4
IDLE_CONNECTIONS = 1000
STORM = 5  # times the handshakes that the server could do if it did nothing else


class Meter:
    """Runs the client against servers and reads the clocks around it."""

    def __init__(self, options, place, client_cpus, client_program, storm_program, upstream):
        self.options = options
        self.place = place
        self.client_cpus = client_cpus
        self.client_program = client_program
        self.storm_program = storm_program
        self.upstream = upstream
        self.deadline = time.monotonic() + options.limit
        self.warnings = []
        self.tls = set()

    def warn(self, text):
        if text not in self.warnings:
            self.warnings.append(text)

    def client(self, mode, server, path="/small", key=None, cpus=None, **flags):
        if time.monotonic() > self.deadline:
            raise BenchError(f"not done after {self.options.limit} s (--limit)")
        argv = [self.client_program, mode, "--port", server.port, "--path", path,
                "--key", server.key if key is None else key, "--ciphers", CIPHER]
        for name, value in flags.items():
            argv += [f"--{name}"] if value is True else [f"--{name}", value]
        return Child(argv, cpus or self.client_cpus, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     stderr=os.path.join(self.place.directory, "client.err"))

    def probe(self, server, **flags):
        child = self.client("probe", server, **flags)
        try:
            return child.event(float(flags.get("retry", 10)) + 5)
        finally:
            child.stop()

    def upstream_stats(self):
        port = self.place.upstream_port
        out = subprocess.run(["curl", "-s", "--max-time", "5", f"http://127.0.0.1:{port}/_stats"], capture_output=True,
                             check=True, timeout=10).stdout
        return json.loads(out)

    def load(self, mode, server, seconds, meanwhile=None, **flags):
        """One timed run; adds the CPU time of the server, and how much of the machine others used meanwhile.
        `meanwhile` is called when the connections are there, before anything counts."""
        warmup = min(0.4, seconds / 3) if meanwhile is None else 1.5
        child = self.client(mode, server, seconds=seconds, warmup=warmup, **flags)
        try:
            if meanwhile is not None:
                time.sleep(0.4)
                meanwhile()
            child.event(10)
            before = self._clocks(server, child)
            child.event(seconds + 15)
            after = self._clocks(server, child)
            result = child.event(20)
            child.say_line()
        finally:
            child.stop()
        return self._result(server, mode, result, before, after)

    def _clocks(self, server, child):
        ours = cpu_ns([child.pid, self.upstream.pid, os.getpid()])
        busy, stolen = machine_cpu_ns()
        return {"server": server.cpu_ns(), "ours": ours, "busy": busy, "stolen": stolen, "at": time.monotonic_ns()}

    def _result(self, server, mode, result, before, after):
        delta = {name: after[name] - before[name] for name in before}
        if result["errors"] or result["not_200"] or result["done"] == 0:
            raise BenchError(f"{server.name}, {mode}: {result['done']} answers, {result['not_200']} not 200, "
                             f"{result['errors']} broken connections")
        if result["cipher"]:
            self.tls.add((result["tls"], result["cipher"], result["group"]))
        wall = delta["at"]
        result["cpu_us"] = delta["server"] / 1000 / result["done"]
        result["cpu_load"] = delta["server"] / wall
        result["per_second"] = result["done"] / result["seconds"]
        cpus = os.cpu_count() or 1
        result["others_load"] = max(delta["busy"] - delta["server"] - delta["ours"], 0) / wall / cpus
        result["stolen_load"] = delta["stolen"] / wall / cpus
        return result

    # --- Rows ---

    def keepalive(self, server):
        return self.load("keepalive", server, self.options.seconds, connections=KEEPALIVE_CONNECTIONS)

    def latency(self, server, meanwhile=None):
        plain = {"plain": True} if server.name == "direct" else {}
        return self.load("keepalive", server, self.options.seconds, meanwhile, connections=KEEPALIVE_CONNECTIONS,
                         rate=self.options.rate, **plain)

    def handshake(self, server):
        result = self.load("handshake", server, self.options.seconds, connections=HANDSHAKE_CONNECTIONS)
        if result["resumed"]:
            raise BenchError(f"{server.name}: {result['resumed']} of {result['done']} full handshakes were resumed")
        return result

    def resume(self, server):
        result = self.load("resume", server, self.options.seconds, connections=HANDSHAKE_CONNECTIONS)
        result["resumed_share"] = result["resumed"] / result["done"]
        if result["resumed_share"] < 0.99:
            self.warn(f"{server.name} resumed {100 * result['resumed_share']:.1f} % of the sessions it was offered")
        return result

    def storm(self, server):
        """Latency of clients that are there, at half load, while new ones ask for several times what the server can
        do; and the same without them just before."""
        capacity = 1e6 / self.load("handshake", server, 0.5, connections=HANDSHAKE_CONNECTIONS)["cpu_us"]
        calm = self.latency(server)
        argv = [self.storm_program, "--port", server.port, "--rate", STORM * capacity,
                "--seconds", self.options.seconds + 1.5]
        storm = None

        def begin():
            nonlocal storm
            storm = Child(argv, self.client_cpus, stdout=subprocess.PIPE,
                          stderr=os.path.join(self.place.directory, "storm.err"))
            # It takes what the measuring client and the container leave of their CPU.
            os.sched_setscheduler(storm.pid, os.SCHED_IDLE, os.sched_param(0))

        try:
            result = self.latency(server, begin)
            answers = storm.event(10)
        finally:
            if storm is not None:
                storm.stop()
        if answers["answered"] == 0:
            raise BenchError(f"{server.name}: no client of the storm was answered")
        pressure = (answers["attempts"] - answers["skipped"]) / answers["seconds"] / capacity
        if pressure < STORM * 0.8:
            self.warn(f"{server.name}: the storm reached {pressure:.1f} times its capacity, not {STORM}")
        return {**result, "calm_p50_us": calm["p50_us"], "calm_p99_us": calm["p99_us"],
                "p99_times": result["p99_us"] / max(calm["p99_us"], 1), "pressure": pressure,
                "storm_per_second": answers["answered"] / answers["seconds"], "storm": answers}

    def down(self, server):
        return self._bulk(server, path="/1m")

    def up(self, server):
        return self._bulk(server, path="/up", body=MIB)

    def _bulk(self, server, **flags):
        if flags.get("body"):
            before = self.upstream_stats()["body_bytes"]
        result = self.load("keepalive", server, self.options.seconds, connections=BULK_CONNECTIONS, **flags)
        if flags.get("body") and self.upstream_stats()["body_bytes"] - before < result["done"] * MIB:
            raise BenchError(f"{server.name}: the container got less than was sent up")
        return result

    def wrk(self, server):
        """The keep-alive row once more, with a client that is not ours."""
        seconds = max(1, round(self.options.seconds))
        env = dict(os.environ, OPENSSL_CONF=self._openssl_conf())
        argv = ["wrk", "-t1", f"-c{KEEPALIVE_CONNECTIONS}", f"-d{seconds}s", "--latency",
                "-H", f"Ocp-Apim-Subscription-Key: {server.key}", f"https://localhost:{server.port}/small"]
        begin = server.cpu_ns()
        child = Child(argv, self.client_cpus, stdout=subprocess.PIPE, env=env,
                      stderr=os.path.join(self.place.directory, "client.err"))
        try:
            out = child.process.communicate(timeout=seconds + 20)[0].decode()
        finally:
            child.stop()
        cpu = server.cpu_ns() - begin
        done = re.search(r"(\d+) requests in ([\d.]+)s", out)
        if not done or "Non-2xx" in out or "Socket errors" in out:
            raise BenchError(f"{server.name}: wrk says {out.strip() or child.last_words()}")
        times = dict(re.findall(r"^\s+(50|99)%\s+([\d.]+\w+)$", out, re.M))
        count = int(done.group(1))
        return {"done": count, "per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
                "cpu_us": cpu / 1000 / count, "p50_us": in_us(times["50"]), "p99_us": in_us(times["99"])}

    def _openssl_conf(self):
        path = os.path.join(self.place.directory, "openssl.cnf")
        with open(path, "w", encoding="ascii") as file:
            file.write("openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n"
                       f"[tls]\nCiphersuites = {CIPHER}\n")
        return path

    def startup(self, server):
        """From the first fork to the first answer over TLS; the client tries all the time."""
        server.prepare()
        child = self.client("probe", server, retry=20)
        try:
            time.sleep(0.05)
            begin = time.monotonic()
            server.launch()
            answer = child.event(25)
        finally:
            child.stop()
        if answer["status"] != 200:
            raise BenchError(f"{server.name} did not answer after its start: {server.children[0].last_words()}")
        return {"ms": (answer["at"] - begin) * 1000}

    def memory(self, server):
        """At rest after the start; then, warmed up, what a thousand idle connections add."""
        self.startup(server)
        time.sleep(1.0)
        rest = server.memory_kib()
        self.load("keepalive", server, min(1.0, self.options.seconds), connections=8)
        time.sleep(1.2)
        warm = server.memory_kib()
        child = self.client("idle", server, count=IDLE_CONNECTIONS, seconds=20)
        try:
            held = child.event(25)
            if held["open"] != IDLE_CONNECTIONS:
                raise BenchError(f"{server.name}: {held['open']} of {IDLE_CONNECTIONS} connections opened")
            time.sleep(3.5)  # idle, not just paused: Postern gives memory back after two seconds
            full = server.memory_kib()
            child.say_line()
            alive = child.event(15)["alive"]
        finally:
            child.stop()
        if alive != IDLE_CONNECTIONS:
            raise BenchError(f"{server.name}: {alive} of {IDLE_CONNECTIONS} idle connections still worked")
        return {"rest_kib": rest["Pss"], "rest_rss_kib": rest["Rss"], "warm_kib": warm["Pss"],
                "idle_kib": (full["Rss"] - warm["Rss"]) / IDLE_CONNECTIONS,
                "idle_anonymous_kib": (full["Anonymous"] - warm["Anonymous"]) / IDLE_CONNECTIONS}

    # --- Before anything is measured ---

    def verify(self, server, expected):
        """The server does what it is compared for, or the run ends here."""
        def need(condition, what):
            if not condition:
                raise BenchError(f"{server.name}: {what}")

        for path, body in expected.items():
            answer = self.probe(server, path=path)
            need(answer["status"] == 200, f"{path} with the key: status {answer['status']}")
            need((answer["length"], answer["sha256"]) == body, f"{path} is not what the container answered")
        self.tls.add((answer["tls"], answer["cipher"], answer["group"]))
        need(answer["cipher"] == CIPHER and answer["tls"] == "TLSv1.3", f"speaks {answer['tls']} {answer['cipher']}")
        wrong = server.key[:-1] + ("a" if server.key[-1] != "a" else "b")
        for key in (wrong, ""):
            status = self.probe(server, key=key)["status"]
            need(status == 401, f"a wrong key gets {status}, not 401")
        before = self.upstream_stats()
        need(self.probe(server, path="/up", body=MIB)["status"] == 200, "an upload of 1 MiB fails")
        after = self.upstream_stats()
        need(after["body_bytes"] - before["body_bytes"] == MIB, "an upload of 1 MiB does not arrive whole")
        self._verify_counts(server, need)

    def _verify_counts(self, server, need):
        lines = settled(server.log_lines)
        used = server.accounted()
        before = self.upstream_stats()
        count = 400
        child = self.client("keepalive", server, path="/verify", connections=4, count=count, seconds=10)
        try:
            while (event := child.event(15))["event"] != "end":
                pass
            child.say_line()
        finally:
            child.stop()
        after = self.upstream_stats()
        need(event["done"] == count and event["not_200"] == 0, f"{event['done']} of {count} requests were answered")
        need(after["requests"] - before["requests"] == count, "requests answered and forwarded differ")
        need(after["connections"] - before["connections"] <= 8, "does not keep its connections to the container")
        need(after["keys_seen"] == before["keys_seen"], "hands the key on to the container")
        need(after["chunked"] == before["chunked"], "changes the framing of requests")
        logged = settled(server.log_lines, lines + count) - lines
        need(logged == count, f"{logged} log lines for {count} requests")
        if used is not None:
            counted = settled(server.accounted, used + count) - used
            need(counted == count, f"{counted} requests in its usage for {count} requests")
        line = server.last_log_line()
        need(line.startswith("{") and json.loads(line), "the log is not JSON")


def settled(look, wanted=None):
    """A count that others still add to: waits until it is `wanted`, or stays the same for a second."""
    value, since = look(), time.monotonic()
    while time.monotonic() - since < (1.2 if wanted is None else 4):
        if value == wanted:
            return value
        time.sleep(0.1)
        now = look()
        if now != value:
            value, since = now, time.monotonic()
    return value


def in_us(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1000, "s": 1000000}[unit]
