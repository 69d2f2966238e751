"""Runs lab guests on gtmux-dm processes: the one place that starts and ends both. Python standard library only."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("GTMUX_BIN", os.path.join(ROOT, "build", "bin"))
LAB = os.path.join(ROOT, "tests", "lab")

# Lines of the guest's kernel that no run may cause.
BAD_LINES = re.compile(r"WARNING:|WARN_ON|wedged|\*ERROR\*|GPU HANG|timed out|timeout|time-out|BUG:|\bOops\b|Call Trace|"
                       r"unclaimed", re.I)
# Harmless lines that match all the same, each with its reason.
HARMLESS = [
    (re.compile(r"clocksource|tsc|hpet|RCU|rcu|workqueue: .* hogged|sched_clock|APIC|kvm-guest|serial8250|ata\d", re.I),
     "the emulated processor is slow; not i915"),
    (re.compile(r"Failed to read DPCD register 0x92"), "i915 was still probing when the test unplugged the monitor"),
    (re.compile(r"Command line:|Kernel command line:"), "echo of our own words"),
]


def lab_path(part):
    return subprocess.run([os.path.join(LAB, "lab"), "path", part], check=True, capture_output=True,
                          text=True).stdout.strip()


def bad_lines(log):
    found = []
    for line in log.splitlines():
        if BAD_LINES.search(line) and not any(p.search(line) for p, _ in HARMLESS):
            found.append(line.strip())
    return found


class Guest:
    """One gtmux-dm and one QEMU. Use as a context manager.

    run_dir: of a gtmuxd, for its tenants. shell: what the guest's program `obey` listens to is self.shell."""

    def __init__(self, name, kernel="6.12", dm=(), append="", boot=(), initrd=None, timeout=240, keep_dir=None,
                 run_dir=None, shell=False):
        self.name, self.kernel, self.timeout = name, kernel, timeout
        self.dir = keep_dir or tempfile.mkdtemp(prefix="gtmux-guest-")
        self.own_dir = keep_dir is None
        self.run_dir = run_dir or os.path.join(self.dir, "run")
        self.shell = Shell(os.path.join(self.dir, "shell")) if shell else None
        self.socket = os.path.join(self.dir, "vfio.sock")
        self.log_path = os.path.join(self.dir, "serial.log")
        self.dm_log_path = os.path.join(self.dir, "dm.log")
        self.dm_args, self.append, self.boot_args, self.initrd = list(dm), append, list(boot), initrd
        self.dm = self.qemu = None

    def __enter__(self):
        self.dm_log = open(self.dm_log_path, "wb")
        self.dm = subprocess.Popen([os.path.join(BIN, "gtmux-dm"), f"--vfio-user={self.socket}", f"--name={self.name}",
                                    f"--run-dir={self.run_dir}", *self.dm_args],
                                   stdout=self.dm_log, stderr=subprocess.STDOUT)
        for _ in range(100):
            if os.path.exists(self.socket) or self.dm.poll() is not None:
                break
            time.sleep(0.05)
        args = [os.path.join(LAB, "boot"), "--kernel", self.kernel, "--socket", self.socket, "--log", self.log_path,
                "--timeout", str(self.timeout), *self.boot_args]
        if self.initrd:
            args += ["--initrd", self.initrd]
        if self.append:
            args += ["--append", self.append]
        if self.shell:
            args += ["--", "-serial", f"unix:{self.shell.path},server=on,wait=off"]
        self.boot_log = open(os.path.join(self.dir, "boot.log"), "wb")
        self.started = time.monotonic()
        self.qemu = subprocess.Popen(args, stdout=self.boot_log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        return self

    def log(self):
        try:
            with open(self.log_path, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def dm_text(self):
        with open(self.dm_log_path, errors="replace") as f:
            return f.read()

    def wait_for(self, pattern, seconds=120, count=1):
        """True once the serial log has `count` matches of pattern; False after `seconds` or when QEMU is gone."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            gone = self.qemu.poll() is not None
            if len(re.findall(pattern, self.log())) >= count:
                return True
            if gone:
                return False
            time.sleep(0.1)
        return False

    def finish(self):
        """Waits for QEMU's end; its exit code (124: time-out)."""
        return self.qemu.wait()

    def gtmux(self, *args, timeout=20):
        return subprocess.run([os.path.join(BIN, "gtmux"), args[0], f"--run-dir={self.run_dir}", *args[1:]],
                              capture_output=True, text=True, timeout=timeout)

    def stop_dm(self):
        """SIGTERM; the dm's exit code."""
        if self.dm.poll() is None:
            self.dm.send_signal(signal.SIGTERM)
        try:
            return self.dm.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.dm.kill()
            self.dm.wait()
            return -9

    def __exit__(self, *_):
        if self.qemu and self.qemu.poll() is None:
            self.qemu.terminate()
            self.qemu.wait()
        self.stop_dm()
        self.dm_log.close()
        self.boot_log.close()
        if self.own_dir and not os.environ.get("GTMUX_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)
        elif self.own_dir:
            print(f"   kept {self.name}: {self.dir}")


class Shell:
    """The host's end of a guest's second serial port, where its program `obey` runs what it reads."""

    def __init__(self, path):
        self.path, self.socket, self.lines, self.jobs, self.sent = path, None, [], {}, 0
        self.changed = threading.Condition()

    def connect(self, seconds=20):
        end = time.monotonic() + seconds
        while not self.socket:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(self.path)
                self.socket = s
            except OSError:
                s.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            with self.socket.makefile("r", errors="replace") as f:
                for line in f:
                    with self.changed:
                        self.lines.append(line.strip())
                        self.changed.notify_all()
        except OSError:
            pass  # QEMU was killed

    def wait_for(self, line, seconds, count=1):
        """True once the line has come `count` times; False after `seconds`."""
        with self.changed:
            return self.changed.wait_for(lambda: self.lines.count(line) >= count, seconds)

    def send(self, command):
        self.socket.sendall(command.encode() + b"\n")

    def run(self, command, seconds=60, first=None):
        """(exit code, or None after `seconds`; the lines that came meanwhile)"""
        self.sent += 1
        first, end = len(self.lines) if first is None else first, f"end-{self.sent} "
        self.send(f"{command}; echo {end}$?")
        with self.changed:
            self.changed.wait_for(lambda: any(x.startswith(end) for x in self.lines[first:]), seconds)
            found = self.lines[first:]
        code = next((int(x.split()[1]) for x in found if x.startswith(end)), None)
        return code, [x for x in found if not x.startswith("end-")]

    def start(self, name, command):
        """Lets a command run beside others; `end` has its result."""
        self.jobs[name] = len(self.lines)
        self.send(f"{command} < /dev/null & {name}=$!")

    def end(self, name, seconds=120, kill=""):
        """As run, of what `start` began; the lines are all that came since then."""
        return self.run(f"{kill}wait ${name}", seconds, self.jobs.pop(name))

    def stop(self, name, seconds=120):
        """The same, after SIGTERM."""
        return self.end(name, seconds, f"kill ${name}; ")


class Initrds:
    """The base initramfs of each kernel with our test programs in /t."""

    def __init__(self, programs):
        self.dir = tempfile.mkdtemp(prefix="gtmux-initrd-")
        self.base = lab_path("initrd")
        os.makedirs(os.path.join(self.dir, "files", "t"))
        for p in programs:
            shutil.copy2(p, os.path.join(self.dir, "files", "t"))
        self.lock, self.made = threading.Lock(), {}

    def path(self, kernel):
        with self.lock:
            if kernel not in self.made:
                out = os.path.join(self.dir, f"{kernel}.cpio.gz")
                subprocess.run([os.path.join(LAB, "addcpio"), out, os.path.join(self.base, f"{kernel}.cpio.gz"),
                                os.path.join(self.dir, "files")], check=True)
                self.made[kernel] = out
            return self.made[kernel]

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class Results:
    """Counts checks; thread safe."""

    def __init__(self):
        self.lock, self.passed, self.failed = threading.Lock(), 0, 0

    def check(self, ok, what, detail=""):
        with self.lock:
            self.passed += bool(ok)
            self.failed += not ok
            print(f"{'ok  ' if ok else 'FAIL'} {what}{': ' + detail if detail else ''}", flush=True)
        return ok

    def programs(self, where, log):
        """Takes over the checks of the test programs that ran in a guest, from its serial log."""
        for name, body, code in re.findall(r"GT-RUN (\S+) START\n(.*?)GT-RUN \1 EXIT (\d+)", log, re.S):
            for state, line in re.findall(r"^(ok|FAIL) ([^\n]*)$", body, re.M):
                self.check(state == "ok", f"{where} {name} {line}")
            if not re.search(r"^\d+ passed, \d+ failed", body, re.M):
                self.check(code == "0", f"{where} {name}", f"exit code {code}, no closing line" if code != "0" else "")
        started, ended = (len(re.findall(rf"GT-RUN \S+ {word}", log)) for word in ("START\n", "EXIT"))
        if started != ended:
            self.check(False, f"{where} a program did not end", log[-300:])

    def answers(self, where, code, lines):
        """Takes over the checks of a test program that a Shell ran."""
        judged = [m for m in (re.fullmatch(r"(ok|FAIL) (.*)", line) for line in lines) if m]
        for m in judged:
            self.check(m[1] == "ok", f"{where} {m[2]}")
        self.check(code == 0 and judged, f"{where} ends", "" if code == 0 and judged else f"exit code {code}: {lines[-5:]}")

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


def parallel(jobs, width=2):
    """Runs the functions, `width` at a time. An exception of one is raised here once all have ended: it must not pass for
    a run without failures."""
    queue, lock, errors = list(jobs), threading.Lock(), []

    def worker():
        while True:
            with lock:
                if not queue:
                    return
                job = queue.pop(0)
            try:
                job()
            except Exception as e:  # pylint: disable=broad-except
                errors.append(e)

    threads = [threading.Thread(target=worker) for _ in range(width)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
