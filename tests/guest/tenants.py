"""Two guests on one gtmuxd, of weights 1 and 3: they share, one hangs, one reboots, gtmuxd is killed, one of them dies. Python
standard library only.

What is measured is engine time as gtmuxd gave it, not how fast the guests are: they and the software GPU have the same two
processors, and the guests' batches keep an engine busy far longer than it takes a guest to submit them (prog/gt_load.c).
"""
import json
import os
import re
import signal
import socket
import subprocess
import time

from labrun import BIN, Guest, bad_lines

CONFIG = """
[gtmuxd]
profile = one
exec-profile = one
preempt-ms = 4000
reset-ms = 4000
hang-ms = 1000
[profile one]
weight = 100
[profile three]
weight = 300
"""
FAIR = {"one": 0.25, "three": 0.75}
OFF = 0.03  # that a share may be off
WINDOW = 3  # seconds that shares are measured over
LOAD = os.path.join(BIN, "arbiter", "arbiter_load")


class Gtmuxd:
    """One gtmuxd in a directory of its own."""

    def __init__(self, where):
        self.dir = where
        self.log_path, self.config = os.path.join(where, "gtmuxd.log"), os.path.join(where, "gtmuxd.conf")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(CONFIG)
        self.process = None
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([os.path.join(BIN, "gtmuxd"), f"--run-dir={self.dir}",
                                             f"--config={self.config}"], stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def tenants(self):
        """{name: its statistics}; empty while there is no gtmuxd."""
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10)
                s.connect(os.path.join(self.dir, "gtmuxd.admin"))
                s.sendall(b'{"cmd": "stats"}\n')
                return {t["name"]: t for t in json.loads(s.makefile().readline())["tenants"]}
        except (OSError, ValueError):
            return {}

    def engine(self, name, engine, figure):
        return self.tenants().get(name, {}).get("engines", {}).get(engine, {}).get(figure, 0)

    def granted(self, engine):
        """(now, {name: seconds of engine time})"""
        return time.monotonic(), {name: t["engines"].get(engine, {}).get("granted_ns", 0) / 1e9
                                  for name, t in self.tenants().items()}

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()


def wait(condition, seconds):
    end = time.monotonic() + seconds
    while not (ok := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return ok


def gained(before, after):
    """(seconds, {name: engine time in them}) between two answers of granted()"""
    return after[0] - before[0], {name: t - before[1].get(name, 0) for name, t in after[1].items()}


class Pair:
    """The two guests, and what is tried with them."""

    def __init__(self, results, gtmuxd, one, three):
        self.results, self.gtmuxd, self.one, self.three = results, gtmuxd, one, three

    def check(self, ok, what, detail=""):
        return self.results.check(ok, f"tenants {what}", detail)

    # ---- loads

    def load(self, guest, *engines):
        for engine in engines:
            guest.shell.start(engine, f"/t/gt_load {engine} > /tmp/{engine}")

    def both_load(self, *engines):
        """True once both guests have had each engine twice, and so want more than they get."""
        self.load(self.one, *engines)
        self.load(self.three, *engines)
        return wait(lambda: all(self.gtmuxd.engine(n, e, "grants") > 2 for n in FAIR for e in engines), 60)

    def end_load(self, what, guest, *engines):
        for engine in engines:
            code, _ = guest.shell.stop(engine)
            self.results.answers(f"tenants {what}: {guest.name}", code, guest.shell.run(f"cat /tmp/{engine}")[1])

    def shares(self, what, *engines):
        """Of up to three windows, the first one in which all shares are right counts."""
        for _ in range(3):
            before = [self.gtmuxd.granted(e) for e in engines]
            time.sleep(WINDOW)
            found = [gained(b, self.gtmuxd.granted(e)) for b, e in zip(before, engines)]
            parts = [t.get("one", 0) / (sum(t.values()) or 1) for _, t in found]
            used = [sum(t.values()) / s for s, t in found]
            if all(abs(p - FAIR["one"]) <= OFF for p in parts) and min(used) > 0.9:
                break
        for engine, part, use in zip(engines, parts, used):
            self.check(abs(part - FAIR["one"]) <= OFF, f"{what}: shares of {engine} by weights 1:3",
                       f"{100 * part:.1f} % and {100 - 100 * part:.1f} %, off by at most {100 * OFF:.0f}")
            self.check(use > 0.9, f"{what}: {engine} is not idle meanwhile", f"{100 * use:.0f} % of the time given away")

    # ---- what is tried

    def boot(self):
        for guest in (self.one, self.three):
            guest.shell.connect()
        for guest in (self.one, self.three):
            up = guest.shell.wait_for("ready", 120)
            self.check(up and "GT-INIT i915 rc=0" in guest.log(), f"boot: {guest.name}",
                       f"{time.monotonic() - guest.started:.1f} s" if up else guest.log()[-400:])
        self.check(set(self.gtmuxd.tenants()) == set(FAIR), "boot: both are tenants", ", ".join(self.gtmuxd.tenants()))

    def share(self):
        self.check(self.both_load("rcs0", "bcs0"), "share: both work")
        self.shares("share", "rcs0", "bcs0")
        for guest in (self.one, self.three):
            self.end_load("share", guest, "rcs0", "bcs0")

    def had(self, name):
        """Seconds that it had rcs0, and that it waited for it."""
        return [self.gtmuxd.engine(name, "rcs0", figure) / 1e9 for figure in ("granted_ns", "waited_ns")]

    def hang(self):
        """The guest of weight 1 hangs. gtmuxd has it reset after hang-ms of engine time; its own driver sees the rest."""
        self.load(self.three, "rcs0")
        # The driver's own patience is 20 s otherwise, with nothing to see.
        self.one.shell.send("echo 1000 > /sys/class/drm/card0/engine/rcs0/heartbeat_interval_ms")
        wait(lambda: self.gtmuxd.engine("three", "rcs0", "grants"), 30)
        at = self.gtmuxd.engine("one", "rcs0", "granted_ns")
        self.one.shell.start("hang", "/t/gt_hang busy")
        wait(lambda: self.gtmuxd.engine("one", "rcs0", "granted_ns") > at + 1e7, 60)
        start, before = time.monotonic(), self.had("three")
        reset = wait(lambda: self.gtmuxd.engine("one", "rcs0", "resets"), 60)
        had, waited = (b - a for a, b in zip(before, self.had("three")))
        self.check(reset and 0.9 < waited < 1.5, "hang: the batch is given up after 1 s of engine time",
                   f"{waited:.2f} s for which the other one waited, {time.monotonic() - start:.1f} s by the clock")
        # Of the time in which it wanted the engine: its processor may not always keep up.
        part = had / (had + waited or 1)
        self.check(part >= 0.9 * FAIR["three"], "hang: what the other one has until then",
                   f"{100 * part:.1f} %, at least 90 % of its 75 %")
        self.results.answers("tenants hang: one", *self.one.shell.end("hang"))
        self.end_load("hang", self.three, "rcs0")
        self.check("one" in self.gtmuxd.tenants(), "hang: who hung once is still a tenant")

    def reboot(self):
        self.load(self.three, "rcs0")
        before = self.gtmuxd.engine("one", "rcs0", "grants")
        self.one.shell.send("sleep 3; reboot -f")  # i915 must be idle; why: words() in run
        up = self.one.shell.wait_for("ready", 180, 2)
        self.check(up and self.one.log().count("GT-INIT i915 rc=0") == 2, "reboot: one binds again",
                   "" if up else self.one.log()[-400:])
        self.results.answers("tenants reboot: one", *self.one.shell.run("/t/gt_exec < /dev/null", 120))
        self.check(self.gtmuxd.engine("one", "rcs0", "grants") > before, "reboot: and is given time")
        self.end_load("reboot", self.three, "rcs0")

    def requests(self, guest):
        r = guest.gtmux("stats", guest.name, "--json")
        return json.loads(r.stdout)["engines"]["rcs0"]["requests"] if r.returncode == 0 else 0

    def orphans(self):
        """kill -9 of gtmuxd while both work."""
        self.check(self.both_load("rcs0"), "kill gtmuxd: both work")
        self.gtmuxd.kill()
        before = [self.requests(g) for g in (self.one, self.three)]
        on = wait(lambda: all(self.requests(g) > b for g, b in zip((self.one, self.three), before)), 30)
        self.check(on, "kill gtmuxd: both go on without")
        self.gtmuxd.start()
        start = time.monotonic()
        back = wait(lambda: set(self.gtmuxd.tenants()) == set(FAIR), 20)
        self.check(back, "kill gtmuxd: the next one has both", f"after {time.monotonic() - start:.2f} s")
        self.shares("kill gtmuxd", "rcs0")
        for guest in (self.one, self.three):
            self.end_load("kill gtmuxd", guest, "rcs0")

    def clean(self):
        """What the kernels had to say, of the hang and otherwise."""
        for guest, hung in ((self.one, r"(?i)GPU HANG|Resetting \w+|stopped heartbeat"), (self.three, None)):
            bad = [b for b in bad_lines(guest.log()) if not (hung and re.search(hung, b))]
            self.check(not bad, f"{guest.name}: clean kernel log", " | ".join(bad[:5]))
        self.check(re.search(r"GPU HANG|Resetting rcs0|stopped heartbeat", self.one.log()), "one: its driver saw the hang")

    def free_at_once(self, what, name, die):
        """Somebody who has a part of the engine dies: in the next second the other one has nearly all of it. Not all: who
        is to notice may have to wait for a processor."""
        die()
        before = self.gtmuxd.granted("rcs0")
        time.sleep(1)
        seconds, time_of = gained(before, self.gtmuxd.granted("rcs0"))
        self.check(time_of.get(name, 0) / seconds >= 0.9, f"{what}: its time is free at once",
                   f"{100 * time_of.get(name, 0) / seconds:.1f} % of the next second are the other's, at least 90 %")

    def deaths(self):
        self.check(self.both_load("rcs0"), "kill QEMU of one: both work")
        self.free_at_once("kill QEMU of one", "three", lambda: kill_qemu(self.one))
        self.check(self.one.dm.poll() is None, "kill QEMU of one: its gtmux-dm lives on")
        rival = subprocess.Popen([LOAD, "--name=rival", f"--socket={self.gtmuxd.dir}/gtmuxd.sock", "--mode=saturate",
                                  "--seconds=4", "--work-us=1000"], stdout=subprocess.DEVNULL)
        wait(lambda: self.gtmuxd.engine("rival", "rcs0", "grants") > 2, 20)
        self.free_at_once("kill gtmux-dm of three", "rival", lambda: self.three.dm.send_signal(signal.SIGKILL))
        self.check("three" not in self.gtmuxd.tenants(), "kill gtmux-dm of three: it is no tenant any more")
        rival.wait()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(child) for child in f.read().split()]


def kill_qemu(guest):
    """QEMU itself, below the script that starts it and its time-out; until it is gone: its threads end one after the other, the
    kernel takes its memory apart, and only then are its sockets closed."""
    pid = guest.qemu.pid
    while below := children(pid):
        pid = below[0]
    os.kill(pid, signal.SIGKILL)
    guest.qemu.wait(20)


def run(results, initrds, kernels):
    one, three = (Guest(name, kernel, (f"--profile={name}",), "gt.run=obey", ("--reboot-ok",), initrds.path(kernel), 400,
                        shell=True) for name, kernel in zip(FAIR, kernels))
    one.run_dir = three.run_dir = one.dir
    with Gtmuxd(one.dir) as d, one, three:
        pair = Pair(results, d, one, three)
        for part in (pair.boot, pair.share, pair.hang, pair.reboot, pair.orphans, pair.clean, pair.deaths):
            start = time.monotonic()
            part()
            print(f"     tenants {part.__name__}: {time.monotonic() - start:.0f} s", flush=True)
