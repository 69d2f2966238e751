"""A real Xen host under plain QEMU TCG: boots it from a snapshot, runs commands in its dom0, shares files with it.

    with XenHost("4.20") as host:
        rc, output = host.run("xl list")

Python standard library only. Needs the lab's parts qemu, kernels and xen-VERSION.
"""
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "guest"))
from labrun import BIN, lab_path  # noqa: E402

VERSIONS = ("4.20", "4.17")
READY = b"XEN-LAB ready"
BOOT_SECONDS = 120
# rdtscp off: TCG reports its intercept as RDTSC without the next instruction's address, on which Xen gives the guest #GP.
# One processor: with two, wake-ups of dom0 were seen to wait for a timer tick.
CPU = "max,-rdtscp"
# For a host with a QEMU 7.2 of its own (tests/lab/parts/xen-4.17.sh says why), whose TCG reads the frame of an IRET to ring
# 3 as the supervisor, so that SMAP kills a PV dom0, and whose XSAVE areas have sizes that Linux complains of.
CPU_OLD = "max,-rdtscp,-smap,-xsave"
# Xen otherwise switches the FPU's state when it is first used, by the exception that CR0.TS asks for. TCG does not raise
# it for XSAVE (target/i386/tcg/fpu_helper.c, do_xsave), so a kernel saved another domain's registers as its program's.
XEN_WORDS = "com1=115200,8n1 console=com1 dom0_max_vcpus=1 loglvl=warning guest_loglvl=all bootscrub=0 spec-ctrl=eager-fpu"


class XenLabError(Exception):
    """The lab itself broke (not what it tests): dom0 does not answer, QEMU ended, ..."""


class Qmp:
    """The few QMP commands that snapshots need."""

    def __init__(self, path):
        self.socket = connect(path, 10)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        for line in self.file:
            answer = json.loads(line)
            if "error" in answer:
                raise XenLabError(f"QMP {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise XenLabError(f"QMP {command}: QEMU ended")

    def close(self):
        self.file.close()
        self.socket.close()


def connect(path, seconds):
    end = time.monotonic() + seconds
    while True:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
            return s
        except OSError as e:
            s.close()
            if time.monotonic() > end:
                raise XenLabError(f"cannot connect to {path}: {e}") from e
            time.sleep(0.02)


def read_bytes(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


def read_text(path):
    return read_bytes(path).decode(errors="replace")


class Agent:
    """Speaks with tests/lab/xen-init in dom0, which describes the protocol."""

    def __init__(self, path):
        self.socket = connect(path, 10)
        self.changed = threading.Condition()
        self.ended, self.gone = {}, False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for line in self.socket.makefile("r", errors="replace"):
                word, _, rest = line.strip().partition(" ")
                who, _, rc = rest.rpartition(" ")
                if word == "done" and rc.isdigit():
                    with self.changed:
                        self.ended[who] = int(rc)
                        self.changed.notify_all()
        except OSError:
            pass
        with self.changed:
            self.gone = True
            self.changed.notify_all()

    def send(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def wait(self, who, seconds):
        """The exit code, or None after `seconds`."""
        with self.changed:
            self.changed.wait_for(lambda: who in self.ended or self.gone, seconds)
            if who not in self.ended and self.gone:
                raise XenLabError("the connection to dom0's agent has ended")
            return self.ended.pop(who, None)

    def close(self):
        self.socket.close()


class Job:
    """A shell script that runs in dom0."""

    def __init__(self, host, name, script):
        self.host, self.name, self.rc = host, name, None
        with open(os.path.join(host.share, "job", name), "w", encoding="utf-8") as f:
            f.write(script + "\n")
        host.agent.send(f"run {name}")

    def output(self):
        return read_text(os.path.join(self.host.share, "job", self.name + ".out"))

    def wait(self, seconds):
        """The exit code; None when it still runs after `seconds`."""
        if self.rc is None:
            self.rc = self.host.agent.wait(self.name, seconds)
        return self.rc

    def kill(self):
        if self.rc is None:
            self.host.agent.send(f"kill {self.name}")
            self.rc = self.wait(10)


class Machine:
    """The outer QEMU: its arguments, its life and its end."""

    def __init__(self, version, work, smp, pvh, memory, dom0_memory):
        self.version, self.dir = version, work
        self.image = lab_path(f"xen-{version}")
        own = os.path.join(self.image, "qemu")
        self.qemu, cpu = (own, CPU_OLD) if os.path.exists(own) else (lab_path("qemu"), CPU)
        self.parts = os.path.dirname(self.image)
        self.share = os.path.join(work, "share")
        self.process = None
        # No comma may be in the kernel's words: it separates the modules of -initrd.
        virtio = ",iommu_platform=on,disable-legacy=on" if pvh else ""
        self.fixed = [
            "-machine", "q35", "-accel", "tcg,tb-size=512", "-cpu", cpu, "-m", str(memory), "-smp", str(smp),
            "-display", "none", "-vga", "none", "-nodefaults", "-no-reboot",
            "-append", f"{XEN_WORDS} dom0_mem={dom0_memory}M,max:{dom0_memory}M{' dom0=pvh' if pvh else ''}",
            # Since QEMU 10.2 it lets devices by untranslated unless told so; dom0's memory is elsewhere.
            *(["-device", "amd-iommu,dma-remap=on"] if pvh else []),
            "-device", f"virtio-blk-pci,drive=root{virtio}", "-device", f"virtio-9p-pci,fsdev=share,mount_tag=share{virtio}",
            "-device", f"virtio-9p-pci,fsdev=parts,mount_tag=parts{virtio}", "-device", f"virtio-serial-pci{virtio}",
            "-device", "virtserialport,chardev=agent,name=agent"]
        self.words = "console=hvc0 loglevel=4 mitigations=off"
        stamps = [read_bytes(os.path.join(d, ".stamp")) for d in (self.image, self.qemu)]
        # The time stamp counter's rate, which Xen measures at boot, is that of this machine.
        here = read_bytes("/proc/sys/kernel/random/boot_id")
        self.key = hashlib.sha256(repr((self.fixed, self.words, stamps, here)).encode()).hexdigest()[:16]
        kind = f"{version}{'-pvh' if pvh else ''}-{smp}"
        self.snapshot = os.path.join(os.path.dirname(self.parts), "xen-snapshots", f"{kind}-{self.key}")
        self.kind = kind
        self.keeps = not pvh  # QEMU cannot save an amd-iommu

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, incoming=None):
        args = [os.path.join(self.qemu, "qemu-system-x86_64"), *self.fixed,
                "-kernel", os.path.join(self.image, "xen"),
                "-initrd", f"{self.image}/vmlinuz {self.words},{self.image}/initrd.gz",
                "-drive", f"file={self.image}/dom0.img,format=raw,if=none,id=root,readonly=on",
                "-fsdev", f"local,id=share,path={self.share},security_model=none,multidevs=remap",
                "-fsdev", f"local,id=parts,path={self.parts},security_model=none,multidevs=remap,readonly=on",
                "-chardev", f"socket,id=agent,path={self.path('agent')},server=on,wait=off",
                "-serial", f"file:{self.path('xen.log')}", "-qmp", f"unix:{self.path('qmp')},server=on,wait=off"]
        if incoming:
            args += ["-incoming", f"exec:cat {incoming}"]
        # If this process is killed, QEMU is not to stay behind.
        with open(self.path("qemu.log"), "wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *args], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)

    def console(self):
        """What Xen and dom0 wrote to the serial port."""
        return read_text(self.path("xen.log"))

    def wait_console(self, text, seconds):
        end = time.monotonic() + seconds
        while text not in read_bytes(self.path("xen.log")):
            if self.process.poll() is not None or time.monotonic() > end:
                raise XenLabError(f"Xen {self.kind} did not come up: {self.state()}")
            time.sleep(0.05)

    def state(self):
        code = self.process.poll()
        end = f"QEMU ended with {code}" if code is not None else "QEMU runs"
        return f"{end}; {read_text(self.path('qemu.log'))[-500:]!r}; console ends {self.console()[-1500:]!r}"

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()  # it has nothing to save
        if self.process:
            self.process.wait()
        self.process = None


def make_snapshot(machine, say):
    """Boots dom0 once and saves the machine's state to machine.snapshot."""
    os.makedirs(os.path.dirname(machine.snapshot), exist_ok=True)
    with open(machine.snapshot + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(machine.snapshot):
            return
        say("booting dom0 for its snapshot")
        machine.start()
        machine.wait_console(READY, BOOT_SECONDS)
        time.sleep(0.5)  # let it become idle
        save(machine)
        forget_older(machine)
    os.unlink(machine.snapshot + ".lock")


def save(machine):
    qmp = Qmp(machine.path("qmp"))
    try:
        qmp("stop")
        # QEMU 7.2 has no file: for it; and would send 32 MiB a second.
        qmp("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        qmp("migrate", uri=f"exec:cat > {machine.snapshot}.new")
        while (status := qmp("query-migrate")["status"]) != "completed":
            if status in ("failed", "cancelled"):
                raise XenLabError(f"the snapshot failed: {qmp('query-migrate')}")
            time.sleep(0.05)
    finally:
        qmp.close()
        machine.stop()
    os.rename(machine.snapshot + ".new", machine.snapshot)


def resume(machine):
    """Lets a machine go on that was started from a snapshot."""
    qmp = Qmp(machine.path("qmp"))
    try:
        end = time.monotonic() + 30
        while qmp("query-status")["status"] == "inmigrate":
            if time.monotonic() > end:
                raise XenLabError(f"the snapshot does not load: {machine.state()}")
            time.sleep(0.02)
        qmp("cont")
    finally:
        qmp.close()


def forget_older(machine):
    """Snapshots of the same kind that other images or arguments made."""
    folder, name = os.path.split(machine.snapshot)
    for other in os.listdir(folder):
        if re.fullmatch(rf"{re.escape(machine.kind)}-[0-9a-f]{{16}}", other) and other != name:
            os.unlink(os.path.join(folder, other))


class XenHost:
    """A running Xen host. Use as a context manager.

    `share` is a directory of this machine that dom0 has as /mnt/share; there, console/guest-NAME.log has the console of
    guest NAME and log/ is dom0's /var/log/xen. dom0 has the lab's parts at /mnt/parts.
    """

    def __init__(self, version="4.20", smp=1, pvh=False, memory=2048, dom0_memory=640, quiet=False):
        self.version, self.quiet = version, quiet
        self.dir = tempfile.mkdtemp(prefix="gtmux-xen-")
        self.share = os.path.join(self.dir, "share")
        for name in ("job", "console", "log", "bin"):
            os.makedirs(os.path.join(self.share, name))
        self.machine = Machine(version, self.dir, smp, pvh, memory, dom0_memory)
        self.agent, self.jobs, self.lock = None, 0, threading.Lock()
        self.started = time.monotonic()

    def say(self, text):
        if not self.quiet:
            print(f"   [{self.version} {time.monotonic() - self.started:6.1f}] {text}", flush=True)

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        m = self.machine
        if m.keeps and not os.path.exists(m.snapshot):
            make_snapshot(m, self.say)
        begin = time.monotonic()
        if m.keeps:
            m.start(m.snapshot)
            resume(m)
        else:
            m.start()
            m.wait_console(READY, BOOT_SECONDS)
        self.agent = Agent(m.path("agent"))
        self.agent.send("mount")
        if self.agent.wait("mount", 30) != 0:
            raise XenLabError(f"dom0 cannot mount its share: {m.state()}")
        self.check("rm -rf /var/log/xen && ln -s /mnt/share/log /var/log/xen")
        self.say(f"dom0 is up after {time.monotonic() - begin:.1f} s")

    def __exit__(self, *_):
        if self.agent:
            self.agent.close()
        self.machine.stop()
        if os.environ.get("GTMUX_KEEP"):
            print(f"   kept Xen {self.version}: {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def install_gtmux(self):
        """Puts the build under test where 'cmake --install' would, and makes its user."""
        self.put(os.path.join(BIN, "dm-wrapper"), "bin/dm-wrapper")
        self.check("mkdir -p /usr/local/bin /usr/local/libexec/gtmux && "
                   "cp /mnt/share/bin/dm-wrapper /usr/local/libexec/gtmux/ && "
                   "echo gtmux:x:990:990::/nonexistent:/usr/sbin/nologin >> /etc/passwd && echo gtmux:x:990: >> /etc/group")
        self.say(self._install("gtmux-dm", "gtmux"))

    def start_gtmuxd(self, config):
        """The Job of a gtmuxd with this configuration."""
        self.say(self._install("gtmuxd"))
        job = self.start(f"mkdir -p /run/gtmux; exec gtmuxd --config={self.write('gtmuxd.conf', config)}")
        rc, _ = self.run("for n in $(seq 300); do [ -S /run/gtmux/gtmuxd.sock ] && exit; sleep 0.1; done; exit 1")
        if rc != 0:
            raise XenLabError(f"gtmuxd does not start: {job.output()[-500:]}")
        return job

    def _install(self, *names):
        """Puts programs into dom0; the version of the first one."""
        for name in names:
            self.put(os.path.join(BIN, name), f"bin/{name}")
            self.check(f"cp /mnt/share/bin/{name} /usr/local/bin/")
        rc, output = self.run(f"/usr/local/bin/{names[0]} --version")
        if rc != 0:
            self.say(f"{names[0]} does not run on dom0's own libraries, so on copies of this machine's: {output.strip()[:150]}")
            self._bring_libraries(names)
            output = self.check(f"/usr/local/bin/{names[0]} --version")
        return output.strip()

    def _bring_libraries(self, names):
        """For a build that is newer than dom0, or has sanitizers: this machine's loader and libraries beside it."""
        for name in names:
            listed = subprocess.run(["ldd", os.path.join(BIN, name)], capture_output=True, text=True, check=True).stdout
            for library in re.findall(r"(/\S+) \(0x", listed):
                self.put(library, f"bin/lib/{os.path.basename(library)}")
            self.write(f"bin/{name}.sh", "#!/bin/sh\nexec /usr/local/lib/host/ld-linux-x86-64.so.2 --library-path "
                                         f"/usr/local/lib/host --argv0 $0 /usr/local/lib/host/{name} \"$@\"\n")
        self.check("mkdir -p /usr/local/lib/host && cp /mnt/share/bin/lib/* /usr/local/lib/host/ && cd /usr/local/bin && "
                   f"for p in {' '.join(names)}; do mv $p /usr/local/lib/host/ && install -m 755 /mnt/share/bin/$p.sh $p; done")

    def start(self, script):
        """Starts a script in dom0; the Job."""
        with self.lock:
            self.jobs += 1
            name = str(self.jobs)
        return Job(self, name, script)

    def run(self, script, timeout=60):
        """Runs a script in dom0 (bash). (exit code, output of both streams); 124 when it was killed after `timeout` s."""
        job = self.start(script)
        try:
            if job.wait(timeout) is None:
                job.kill()
                return 124, job.output()
        except XenLabError as e:
            raise XenLabError(f"{e}; in dom0 ran: {script[:200]!r}; {self.machine.state()}") from e
        return job.rc, job.output()

    def check(self, script, timeout=60):
        """As run, for what must succeed; the output."""
        rc, output = self.run(script, timeout)
        if rc != 0:
            raise XenLabError(f"dom0: exit code {rc} of {script[:200]!r}: {output[-800:]}")
        return output

    def part(self, path):
        """A path below the lab's parts on this machine; dom0 has it below /mnt/parts."""
        return os.path.join(self.machine.parts, path)

    def put(self, source, name=None):
        """Copies a file of this machine into the share; its path in dom0."""
        name = name or os.path.basename(source)
        target = os.path.join(self.share, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target) or not os.path.samefile(source, target):
            shutil.copy2(source, target)
        return f"/mnt/share/{name}"

    def write(self, name, text):
        """Writes a file of the share; its path in dom0."""
        with open(os.path.join(self.share, name), "w", encoding="utf-8") as f:
            f.write(text)
        return f"/mnt/share/{name}"

    def read(self, name):
        """The text of a file of the share; empty when there is none."""
        return read_text(os.path.join(self.share, name))

    def console(self):
        """What Xen and dom0's kernel wrote since the snapshot."""
        return self.machine.console()
