"""What is tried on a Xen host: one function a scenario. Python standard library only."""
import collections
import json
import os
import re
import tempfile
import time
import zlib

import guide
import mesa
from labrun import bad_lines
from picture import expected
from pngfile import read_png
from xenguest import XenGuest
from xenlab import VERSIONS

KERNEL = "6.12"
# 20 s for a guest on a machine with nothing else to do.
BOOT_SECONDS, WORK_SECONDS = 240, 240
# Of ./check guest; without gt_crc, whose interrupts and register reads 60 times a second are more than an emulated
# processor with two hypervisors has time for: the screen is compared by screenshots.
GPU_TEST = ("gt_exec", "gt_spin", "gt_ctx", "gt_blt")
GTMUX = "/local/domain/0/gtmux"

Scenario = collections.namedtuple("Scenario", "function about versions pvh")
SCENARIOS = {}
NEWEST, OLDEST = VERSIONS[:1], VERSIONS[-1:]



def scenario(about, versions=VERSIONS, pvh=False):
    def add(function):
        SCENARIOS[function.__name__.replace("_", "-")] = Scenario(function, about, versions, pvh)
        return function
    return add


class Checks:
    """Results of one scenario on one host."""

    def __init__(self, results, where):
        self.results, self.where = results, where

    def __call__(self, ok, what, detail=""):
        return self.results.check(ok, f"{self.where} {what}", detail)

    def equal(self, found, wanted, what):
        return self(found == wanted, what, f"{found!r}" if found == wanted else f"{found!r} instead of {wanted!r}")

    def guest(self, guest, expect_bad=None):
        """A guest that has come to the end of its programs: i915 bound, no complaint of the kernel's, all tests right."""
        log = guest.log()
        self(re.search(r"GT-INIT i915 rc=0", log), f"{guest.name} i915 binds", "" if "i915 rc=0" in log else log[-600:])
        self.results.programs(f"{self.where} {guest.name}", log)
        bad = [b for b in bad_lines(log) if not (expect_bad and re.search(expect_bad, b))]
        self(not bad, f"{guest.name} clean kernel log", " | ".join(bad[:5]))

    def interrupts(self, guest, kind):
        """What its program irqs printed: MSI or INTx, and some."""
        found = re.search(r"GT-IRQ (.*) (\d+)$", guest.log(), re.M)
        name = {"MSI": "msi", "INTx": "ioapic"}[kind]
        self(found and name in found[1].lower().replace("-", "") and int(found[2]) > 100,
             f"{guest.name} interrupts are {kind}", found[0] if found else "")


class Census:
    """What dom0 holds before guests, and must hold again after them."""

    def __init__(self, host):
        self.host = host
        self.before = self.count()

    def count(self):
        out = self.host.check("""
            xl list | tail -n +2 | wc -l
            readlink /proc/[0-9]*/exe | grep -c -e gtmux -e qemu-system
            xenstore-ls /local/domain/0/gtmux 2>/dev/null | wc -l
            ls /run/gtmux 2>/dev/null | wc -l
            ls /proc/$(cat /run/xenstored.pid)/fd | wc -l
            cat /proc/[0-9]*/maps 2>/dev/null | grep -c /dev/xen/privcmd
            true""")
        names = ("domains", "processes", "keys", "files", "descriptors of xenstored", "foreign maps")
        return dict(zip(names, (int(n) for n in out.split())))

    def check(self, checks, what="nothing is left"):
        """Xen frees a domain's memory in the background, so it may take a moment."""
        end = time.monotonic() + 20
        while (now := self.count()) != self.before and time.monotonic() < end:
            time.sleep(0.3)
        checks(now == self.before, what, ", ".join(f"{v} {k}" for k, v in now.items()) if now == self.before else
               f"{now} instead of {self.before}; {self.host.run('xl list; ls -l /run/gtmux')[1]}")


def free_memory(host):
    """MiB."""
    return int(re.search(r"free_memory\s*:\s*(\d+)", host.check("xl info"))[1])


def key(host, guest, name):
    rc, out = host.run(f"xenstore-read {GTMUX}/{guest.domid}/{name}")
    return out.strip() if rc == 0 else None


def dm_log(host, guest):
    return host.read(f"log/gtmux-dm-{guest.name}.log")


def device_pid(host, guest):
    """The process that faces the guest: the keeper's child."""
    return int(host.check(f"cat /proc/{key(host, guest, 'pid')}/task/*/children").split()[0])


def words(*programs, then=""):
    """As in tests/guest/run: at the end time for i915 to go idle."""
    return " ".join(f"gt.run={p}" for p in programs) + f" gt.run=sleep,3 {then}"


def make(host, initrds, name, programs, *, kernel=KERNEL, extra="", gpu="", **more):
    return XenGuest(host, name, kernel=kernel, words=f"{words(*programs)} {extra}", initrd=initrds.path(kernel), gpu=gpu,
                    **more)


def through(checks, guest, seconds=WORK_SECONDS):
    """Waits until a guest has run its programs."""
    done = guest.wait_for(r"GT-INIT done", BOOT_SECONDS + seconds)
    return checks(done, f"{guest.name} comes to its end", f"{time.monotonic() - guest.started:.1f} s after xl create" if done
                  else f"console ends {guest.log()[-500:]!r}; log ends {dm_log(guest.host, guest)[-500:]!r}")


# ---- the plain life of a guest

def show(host, checks, guest, seed):
    """The guest shows a picture: its screen, read out in dom0, is what the guest has in its framebuffer."""
    shown = guest.wait_for(r"SHOW \d+x\d+ [0-9a-f]{8}", BOOT_SECONDS)
    if not checks(shown, f"{guest.name} shows a picture", "" if shown else guest.log()[-500:]):
        return
    width, height, crc = re.search(r"SHOW (\d+)x(\d+) ([0-9a-f]{8})", guest.log()).groups()
    out = host.check(f"gtmux screenshot {guest.name} /mnt/share/{guest.name}.png")
    found_width, found_height, pixels = read_png(os.path.join(host.share, f"{guest.name}.png"))
    checks.equal((found_width, found_height), (int(width), int(height)), f"{guest.name} size of the screenshot")
    wanted = expected(int(width), int(height), seed)
    wrong = sum(pixels[i:i + 3] != wanted[i:i + 3] for i in range(0, len(wanted), 3))
    checks(not wrong, f"{guest.name} pixels of the screenshot", f"{wrong} of {len(wanted) // 3} wrong; {out.strip()}")
    checks.equal(f"{zlib.crc32(pixels):08x}", crc, f"{guest.name} CRC of its framebuffer")


def tell(host, guest):
    """A line on the guest's console."""
    host.check(f"echo > $(xenstore-read /local/domain/{guest.domid}/console/tty)")


IGT = [("gem_exec_nop", 120, "gem_exec_nop"),
       ("gem_blt", 240, "LD_PRELOAD=/t/igt_watch.so GT_WATCH=copy GT_WATCH_BYTES=262144 gem_blt -r 1 -s 262144 -t 20")]


def list_igt(initrds):
    """Writes the list that the guest's `cases` reads."""
    with open(os.path.join(initrds.dir, "files", "t", "list-xen"), "w", encoding="utf-8") as f:
        f.writelines(f"{name} {seconds} {command}\n" for name, seconds, command in IGT)


def root_disk(host):
    """The lab's root image as a disk of a guest's. libxl has no disks that can only be read in the four places that IDE has
    as well."""
    host.check("cp /mnt/parts/root/root.img /run/")
    return {"disk": ["format=raw, vdev=xvda, access=rw, backendtype=qdisk, target=/run/root.img"]}


MESA_SCENES = ("clear", "triangle", "texture_linear", "compute")


@scenario("one vCPU, MSI: the GPU test of ./check guest; Mesa draws; Debian's IGT benchmarks; domain and vGPU end together",
          versions=NEWEST)
def work(host, checks, initrds):
    census = Census(host)
    # IGT's cases print the kernel's words themselves, so they are kept from the middle of what comes after the GPU test.
    programs = f"{words(*GPU_TEST, 'irqs', 'dmesg,-n,1')} {mesa.scenes(MESA_SCENES)} gt.runroot=cases,list-xen gt.run=sleep,3"
    with tempfile.TemporaryDirectory(prefix="gtmux-xen-mesa-") as drawn, \
            XenGuest(host, "g1", words=f"gt.root {programs}", memory=768, initrd=initrds.path(KERNEL), gpu="mode=640x480",
                     config=root_disk(host)) as guest:
        mesa.reference(checks, drawn, MESA_SCENES)
        guest.create()
        checks.equal(key(host, guest, "state"), "running", "state in xenstore")
        if through(checks, guest, 3 * WORK_SECONDS):
            checks.guest(guest)
            checks.interrupts(guest, "MSI")
            checks(mesa.RENDERER in guest.log(), "Mesa drives the vGPU")
            mesa.judge(checks, drawn, guest.log(), MESA_SCENES)
            igt(checks, guest)
        checks(guest.wait_gone(), "powers itself off")
    census.check(checks)
    checks("the guest is gone" in dm_log(host, guest) or "being destroyed" in dm_log(host, guest), "the log says why it ends",
           dm_log(host, guest).strip().splitlines()[-1])


def igt(checks, guest):
    runs = {n: (int(code), int(ms), body) for n, body, code, ms in
            re.findall(r"(?ms)^IGT (\S+) START\n(.*?)^IGT \1 EXIT (\d+) (\d+)", guest.log())}
    for name, _, _ in IGT:
        code, ms, body = runs.get(name, (None, 0, guest.log()[-300:]))
        right = re.search(r"(?m)^\s*\d+\.\d+$", body) and "pixels wrong" not in body.replace(" 0 pixels wrong", "")
        checks(code == 0 and right, f"{name}", f"{ms / 1000:.1f} s: {body.strip()[-200:]!r}")
    copied = re.search(r"(\d+) pixels wrong of (\d+)", runs.get("gem_blt", (0, 0, ""))[2])
    checks(copied and copied[1] == "0" and int(copied[2]) > 0, "gem_blt copies right", copied[0] if copied else "")


# With a VGA of QEMU's beside the vGPU.
VGA = {"vga": "stdvga", "videoram": 24}


@scenario("two guests at once, screens and work of their own; the sandbox keeps each from the other. One has one vCPU and MSI, "
          "and on the newer Xen QEMU's VGA as its boot display, which i915 replaces; the other one two vCPUs and INTx, and "
          "there Linux 6.1, which fills the whole GTT: in memory of the guest, so without traps")
def two_guests(host, checks, initrds):
    census, newest = Census(host), host.version in NEWEST
    with make(host, initrds, "g1", ("xt_show,1", "gt_exec", "irqs"), gpu="mode=640x480", config=VGA if newest else {}) as one, \
            make(host, initrds, "g2", ("xt_show,2", "gt_exec", *(("gt_spin",) if newest else ()), "irqs"),
                 kernel="6.1" if newest else KERNEL, gpu="mode=800x600", extra="pci=nomsi", vcpus=2) as two:
        one.create()
        two.create()
        checks("2 vCPUs" in dm_log(host, two), "both vCPUs of g2 are served")
        for guest, seed in ((one, 1), (two, 2)):
            show(host, checks, guest, seed)
        if newest:
            boot_display(checks, one)
            traps = stats(host, two)
            checks(traps["gtt_writes"] < 10, "g2's stores to the GTT do not trap", f"{traps['gtt_writes']} did")
        sandbox(host, checks, two)
        tell(host, one)
        tell(host, two)
        for guest, kind in ((one, "MSI"), (two, "INTx")):
            if through(checks, guest):
                checks.guest(guest)
                checks.interrupts(guest, kind)
    census.check(checks)


def boot_display(checks, guest):
    log = guest.log()
    checks(re.search(r"\[1234:1111\]", log), f"{guest.name} has QEMU's VGA")
    checks("fb0: i915drmfb" in log, f"{guest.name}: i915 has the console")


def sandbox(host, checks, guest):
    """The sandbox's self-test, with another guest on the host whose memory must be out of reach."""
    rc, out = host.run(f"gtmux-dm --sandbox-test --xen-domid={guest.domid}", 240)
    found = re.search(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", out, re.M)
    failed = re.findall(r"^FAIL.*$", out, re.M)
    checks(rc == 0 and found and int(found[1]) > 150, "sandbox self-test", found[0] if found and rc == 0 else
           f"exit code {rc}: {failed[:5] or out[-500:]}")


# ---- death and life

@scenario("kill -9 of the device under load, and of its keeper: the next ones go on")
def adoption(host, checks, initrds):
    with make(host, initrds, "g1", ("gt_exec", "gt_blt", "gt_ctx", "gt_exec")) as guest:
        guest.create()
        checks(guest.wait_for("GT-RUN gt_exec START", BOOT_SECONDS), "the GPU test runs")
        for round_ in (1, 2, 3):
            time.sleep(1)
            kill_device(host, checks, guest, round_)
        kill_keeper(host, checks, guest)
        if through(checks, guest):
            checks.guest(guest)
        log = dm_log(host, guest)
        checks("new one" not in log and "afresh" not in log, "the GPU's state was carried on each time")


def kill_device(host, checks, guest, round_):
    pid = device_pid(host, guest)
    host.check(f"kill -9 {pid}")
    wait(lambda: key(host, guest, "state") == "running" and key(host, guest, "restarts") == str(round_), 30)
    took = [int(ms) for ms in re.findall(r"serving again.* (\d+) ms after", dm_log(host, guest))]
    checks(len(took) == round_ and took[-1] < 1000, f"device {round_} adopts within a second of its start",
           f"{took[-1] if took else None} ms")


def kill_keeper(host, checks, guest):
    """The device dies with it; gtmux attach starts another keeper."""
    keeper, device = key(host, guest, "pid"), device_pid(host, guest)
    host.check(f"kill -9 {keeper}")
    gone = wait(lambda: host.run(f"test -e /proc/{device}/exe")[0] != 0, 10)
    checks(gone, "the device dies with its keeper")
    rc, out = host.run(f"gtmux attach {guest.name}")
    checks(rc == 0, "gtmux attach takes the guest up again", out.strip()[-300:])


def wait(condition, seconds):
    end = time.monotonic() + seconds
    while not (ok := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return ok


@scenario("a reboot from inside: a new domain with a new vGPU")
def reboot(host, checks, initrds):
    with make(host, initrds, "g1", ("gt_exec",), extra="gt.reboot", config={"on_reboot": "restart"}) as guest:
        guest.create()
        first = guest.domid
        works = "GT-RUN gt_exec EXIT 0"
        # Not wait_for: between its lives there is no such domain.
        again = wait(lambda: guest.log().count(works) > 1, 2 * BOOT_SECONDS + WORK_SECONDS)
        checks(again, "works in both lives", f"{guest.log().count(works)} good ones")
        guest.domid = guest.find()
        checks(guest.domid and guest.domid != first, "another domain", f"{first}, then {guest.domid}")
        bad = bad_lines(guest.log())
        checks(not bad, "clean kernel log", " | ".join(bad[:5]))


ROUNDS = 20


@scenario("20 times create and destroy, some at work: nothing is left")
def rounds(host, checks, initrds):
    census, memory = Census(host), None
    guest = make(host, initrds, "g1", (), memory=256)
    for i in range(ROUNDS):
        guest.create("-p" if i % 4 else "")
        if not i % 4:
            time.sleep(i / 4)  # in the firmware, in the kernel, in i915's probe
        guest.destroy()
        if i == 0:
            census.check(checks, "nothing is left after the first")
            memory = free_memory(host)
    census.check(checks, f"nothing is left after {ROUNDS}")
    wait(lambda: abs(free_memory(host) - memory) <= 1, 20)
    checks(abs(free_memory(host) - memory) <= 1, "Xen has its memory back", f"{memory} MiB free, then {free_memory(host)}")
    checks("(null)" not in host.check("xl list"), "no zombie")


# ---- harm

# The module lets root of the guest make hypercalls for itself; newer ones want to be told so.
HOSTILE = ("insmod,/t/xen-privcmd.ko,unrestricted=1", "xt_hostile,regs", "xt_hostile,bars", "xt_hostile,gone")


@scenario("guests that mean harm, with two vCPUs; one that is destroyed, and one that destroys itself in the midst of it",
          versions=NEWEST)
def hostile(host, checks, initrds):
    census = Census(host)
    with make(host, initrds, "g1", HOSTILE, extra="gt.noi915 iomem=relaxed", vcpus=2) as guest:
        guest.create()
        if through(checks, guest):
            checks.results.programs(f"{checks.where} {guest.name}", guest.log())
        checks.equal(key(host, guest, "restarts") or "0", "0", "crashes of the device")
        named = [line for line in dm_log(host, guest).splitlines() if f"domain {guest.domid}" in line]
        checks(len(named) > 1, "the log names the domain", named[-1] if named else "")
    with make(host, initrds, "g2", ("xt_hostile,regs,1000000",), extra="gt.noi915 iomem=relaxed", vcpus=2) as guest:
        guest.create()
        checks(guest.wait_for("ok alive-before", BOOT_SECONDS), "the second hammers")
        time.sleep(2)
        rc, out = host.run("xl destroy g2", 30)
        checks(rc == 0, "xl destroy in the midst of it", out)
    with make(host, initrds, "g3", ("vanish",), extra="gt.noi915 iomem=relaxed", vcpus=2) as guest:
        guest.create()
        checks(guest.wait_for("ok alive-before", BOOT_SECONDS), "the third hammers")
        checks(guest.wait_gone(), "it destroys itself in the midst of it")
    census.check(checks)


# ---- the GTT, in memory of the guest

def stats(host, guest):
    return json.loads(host.check(f"gtmux stats --json {guest.name}"))["traps"]


@scenario("a guest that may have no more memory: all works, and the log says what to do", versions=OLDEST)
def gtt_traps(host, checks, initrds):
    with make(host, initrds, "g1", ("gt_exec",), config={"videoram": 0}) as guest:
        guest.create()
        checks("videoram=8" in dm_log(host, guest), "the log says what to do", dm_log(host, guest).splitlines()[0])
        if checks(guest.wait_for("GT-RUN gt_exec START", BOOT_SECONDS), "i915 binds"):
            traps = stats(host, guest)
            checks(traps["gtt_writes"] > 1000, "stores to the GTT trap", f"{traps['gtt_writes']}")
            through(checks, guest)
            checks.guest(guest)


@scenario("a guest that moves its GTT, puts memory in its way and gives it back to Xen; then the device is killed",
          versions=NEWEST)
def gtt_hostile(host, checks, initrds):
    census = Census(host)
    with make(host, initrds, "g1", (HOSTILE[0], "xt_gtt", "sleep,1000"), extra="gt.noi915 iomem=relaxed") as guest:
        guest.create()
        ended = guest.wait_for("GT-RUN xt_gtt EXIT", BOOT_SECONDS + WORK_SECONDS)
        checks(ended, "xt_gtt comes to its end", "" if ended else guest.log()[-500:])
        checks.results.programs(f"{checks.where} {guest.name}", guest.log().replace("GT-RUN sleep START", ""))
        checks.equal(key(host, guest, "restarts") or "0", "0", "crashes of the device")
        host.check(f"kill -9 {device_pid(host, guest)}")
        again = wait(lambda: key(host, guest, "state") == "running" and key(host, guest, "restarts") == "1", 30)
        checks(again and "has lost pages of its GTT" in dm_log(host, guest), "the next device notices, and serves")
        rc, out = host.run("xl destroy g1", 30)
        checks(rc == 0, "xl destroy", out)
    census.check(checks)


# ---- the rest of the world

@scenario("each command of docs/xen.md, in order", versions=NEWEST)
def toolstack_guide(host, checks, initrds):
    census = Census(host)
    guests = {f"{name}.cfg": make(host, initrds, name, (), gpu=None, plain=True) for name in ("guest", "paused")}
    guide.follow(host, checks, guests)
    host.run("xl destroy guest; xl destroy paused")
    census.check(checks)


def run(entry, host, checks, initrds):
    entry.function(host, checks, initrds)


import scenario_display  # noqa: E402,F401  pylint: disable=wrong-import-position,unused-import,cyclic-import
