# SPDX-License-Identifier: Apache-2.0
"""Child processes of the benchmark: started on chosen CPUs, accounted, and ended by their ids."""
import ctypes
import json
import os
import select
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
CPUCLOCK_SCHED = 2
_libc = ctypes.CDLL(None, use_errno=True)
_children = []


class BenchError(Exception):
    """Something is not as the benchmark needs it; said to the user without a traceback."""


class Child:
    """One process with what it starts itself. It gets SIGTERM when the benchmark ends, however that ends."""

    def __init__(self, argv, cpus, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=None, env=None):
        self.argv = [str(word) for word in argv]
        self.err_path = stderr
        self._pending = b""

        def in_child():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if cpus:
                os.sched_setaffinity(0, cpus)

        err = open(stderr, "ab") if stderr else subprocess.DEVNULL
        try:
            self.process = subprocess.Popen(self.argv, stdin=stdin, stdout=stdout, stderr=err, env=env,
                                            preexec_fn=in_child, start_new_session=True)
        finally:
            if stderr:
                err.close()
        self.pid = self.process.pid
        _children.append(self)

    def pids(self):
        """The process and its living descendants."""
        parents = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                stat = read_stat(int(name))
                if stat:
                    parents.setdefault(stat["ppid"], []).append(int(name))
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo.extend(parents.get(pid, []))
        return found

    def event(self, timeout):
        """The next line of standard output, as JSON."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            ready = select.select([self.process.stdout], [], [], max(left, 0))[0]
            piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not piece:
                why = "said nothing in time" if not ready else "ended"
                raise BenchError(f"{' '.join(self.argv[:2])} {why}: {self.last_words()}")
            self._pending += piece
        line, self._pending = self._pending.split(b"\n", 1)
        return json.loads(line)

    def say_line(self):
        try:
            os.write(self.process.stdin.fileno(), b"\n")
        except OSError:
            pass

    def last_words(self):
        if not self.err_path:
            return "(no message)"
        with open(self.err_path, "rb") as file:
            return file.read()[-2000:].decode("utf-8", "replace").strip() or "(no message)"

    def stop(self):
        """SIGTERM, and SIGKILL for what of its tree is still there some seconds later."""
        if self in _children:
            _children.remove(self)
        family = {pid: start_time(pid) for pid in self.pids()} if self.process.poll() is None else {}
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        for pid, started in family.items():
            if started is not None and start_time(pid) == started:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.process.wait(5)


def stop_all():
    for child in list(reversed(_children)):
        try:
            child.stop()
        except (OSError, subprocess.SubprocessError):
            pass


def read_stat(pid):
    """ppid, state and start time of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rsplit(b")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return {"state": fields[0].decode(), "ppid": int(fields[1]), "start": int(fields[19])}


def start_time(pid):
    stat = read_stat(pid)
    return None if stat is None or stat["state"] == "Z" else stat["start"]


def cpu_ns(pids):
    """User and system time of the processes with all their threads, in nanoseconds: the clocks behind utime and
    stime in /proc/PID/stat, without their rounding to 10 ms."""
    total = 0
    for pid in pids:
        try:
            total += time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED)
        except OSError:
            pass
    return total


def machine_cpu_ns():
    """What all CPUs have worked since boot, and what the hypervisor took from them."""
    with open("/proc/stat", "r", encoding="ascii") as file:
        fields = [int(word) for word in file.readline().split()[1:]]
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    busy = sum(fields[:3]) + fields[5] + fields[6]
    return busy * tick, fields[7] * tick


def memory_kib(pids):
    """Resident memory of the processes: each page once per process (rss), shared pages shared out (pss)."""
    sums = {"Rss": 0, "Pss": 0, "Anonymous": 0}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "r", encoding="ascii") as file:
                for line in file:
                    name = line.split(":")[0]
                    if name in sums:
                        sums[name] += int(line.split()[1])
        except OSError:
            pass
    return sums


def run_for_output(argv, env=None, timeout=30):
    result = subprocess.run([str(word) for word in argv], env=env, timeout=timeout, capture_output=True, check=False)
    if result.returncode != 0:
        words = (result.stderr or result.stdout).decode("utf-8", "replace").strip()
        raise BenchError(f"{' '.join(str(word) for word in argv[:3])} failed ({result.returncode}): {words[-2000:]}")
    return result.stdout.decode("utf-8", "replace"), result.stderr.decode("utf-8", "replace")
