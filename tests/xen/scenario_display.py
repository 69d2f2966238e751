"""A guest's screen as a dma-buf: display/kmod in dom0. Python standard library only."""
import glob
import json
import os
import re
import subprocess
import time
import zlib

from labrun import BIN, bad_lines
from picture import expected
from scenarios import BOOT_SECONDS, NEWEST, OLDEST, WORK_SECONDS, Census, device_pid, dm_log, key, make, scenario, wait
from xenlab import Qmp

DOM0_KERNEL = {"4.17": "6.1", "4.20": "6.12"}
IMPORTER = "/sys/kernel/debug/gtmux-import-test"
LOADER = "/usr/local/lib/host/ld-linux-x86-64.so.2"
SEED, WIDTH, HEIGHT = 5, 800, 600


def install_programs(host):
    """The dom0 programs of tests/xen/prog; where gtmux runs on this machine's libraries, so do they."""
    for path in glob.glob(os.path.join(BIN, "xen", "*")):
        name = os.path.basename(path)
        host.put(path, f"bin/{name}")
        if host.run(f"test -e {LOADER}")[0] != 0:
            host.check(f"cp /mnt/share/bin/{name} /usr/local/bin/")
            continue
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            host.put(library, f"bin/lib/{os.path.basename(library)}")
        script = host.write(f"bin/{name}.sh", f"#!/bin/sh\nexec {LOADER} --library-path /usr/local/lib/host "
                                              f"/usr/local/lib/host/{name} \"$@\"\n")
        host.check(f"cp -n /mnt/share/bin/lib/* /mnt/share/bin/{name} /usr/local/lib/host/ && "
                   f"install -m 755 {script} /usr/local/bin/{name}")


def load_modules(host):
    host.check("mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug; "
               f"cd /mnt/parts/xen-export/{DOM0_KERNEL[host.version]} && insmod ./gtmux_xen_export.ko && "
               "insmod ./gtmux_import_test.ko")


def load_vkms(host):
    tree = f"/mnt/parts/kernels/{DOM0_KERNEL[host.version]}/modules"
    host.check(f"modprobe -d {tree} -a drm_kms_helper drm_shmem_helper && insmod /mnt/parts/vkms/vkms.ko enable_writeback=1")


def dmabufs(host):
    """How many exist in dom0."""
    return int(re.search(r"Total (\d+) objects", host.check("cat /sys/kernel/debug/dma_buf/bufinfo"))[1])


def screen_stats(host, guest):
    return json.loads(host.check(f"gtmux stats --json {guest.name}"))["display"]


class View:
    """xd_view see: a viewer that keeps its frame."""

    def __init__(self, host, guest, with_list=False):
        self.job = host.start(f"exec xd_view see {guest.name}{f' {IMPORTER}/list' if with_list else ''}")
        ready = wait(lambda: re.search(r"VIEW keeps it|VIEW fails", self.job.output()) or self.job.wait(0) is not None, 60)
        self.text = self.job.output()
        found = re.search(r"VIEW (\w+) (\d+)x(\d+) stride (\d+) at 0,0 modifier (\w+) bytes (\d+) crc (\w+)", self.text)
        self.ok = bool(ready and found)
        if found:
            self.kind, self.crc = found[1], found[7]
            self.width, self.height, self.stride, self.bytes = (int(found[i]) for i in (2, 3, 4, 6))
            self.modifier = int(found[5], 16)
        self.addresses = [(int(a, 16), int(n, 16)) for a, n in re.findall(r"^DMA (\w+) (\w+)$", self.text, re.M)]

    def close(self):
        self.job.kill()


def shows(checks, view, kind, what):
    """The frame is of this kind, linear, and has the guest's pixels."""
    crc = f"{zlib.crc32(expected(WIDTH, HEIGHT, SEED)):08x}"
    return checks(view.ok and (view.kind, view.width, view.height, view.crc, view.modifier) == (kind, WIDTH, HEIGHT, crc, 0),
                  f"{what}: {kind}, with the guest's pixels", view.text.strip().splitlines()[0] if view.text else "nothing")


def machine_memory(host, pieces):
    """What a device reads at these machine addresses: from outside, as QEMU has the machine's memory."""
    path, data = os.path.join(host.dir, "memory"), b""
    qmp = Qmp(host.machine.path("qmp"))
    try:
        for address, size in pieces:
            qmp("pmemsave", val=address, size=size, filename=path)
            with open(path, "rb") as f:
                data += f.read()
    finally:
        qmp.close()
    return data


def check_addresses(host, checks, view):
    """The DMA addresses that an importer gets are the machine frames with the guest's picture."""
    sizes = sum(n for _, n in view.addresses)
    checks(view.addresses and sizes == view.bytes, "an importer is given all of it",
           f"{sizes} bytes in {len(view.addresses)} pieces")
    data = machine_memory(host, view.addresses)
    wanted, wrong = expected(WIDTH, HEIGHT, SEED), 0
    for y in range(HEIGHT):
        found, right = data[y * view.stride:y * view.stride + WIDTH * 4], wanted[y * WIDTH * 3:(y + 1) * WIDTH * 3]
        wrong += any(found[2 - i::4] != right[i::3] for i in range(3))  # blue, green, red, unused
    checks(not wrong, "what a device reads there is the guest's picture", f"{wrong} of {HEIGHT} rows differ")


def hostile(host, checks, guest):
    rc, out = host.run(f"xd_module {guest.domid} {IMPORTER}", 120)
    found = re.search(r"^(\d+) passed, (\d+) failed$", out, re.M)
    checks(rc == 0 and found and int(found[1]) > 50, "the module refuses what it must not give",
           found[0] if rc == 0 and found else f"exit code {rc}: {re.findall('^FAIL.*', out, re.M) or out[-500:]}")


def sandbox(host, checks, guest):
    """The self-test of the sandbox has trials for the module."""
    rc, out = host.run(f"gtmux-dm --sandbox-test --xen-domid={guest.domid}", 240)
    lines = re.findall(r"^(ok|FAIL|skip) Xen: .*(?:dma-buf|exporter).*$", out, re.M)
    checks(rc == 0 and lines == ["ok"] * 5, "the sandbox leaves one command of it", f"{lines}" if rc == 0 else out[-500:])


def on_vkms(host, checks, guest):
    before = screen_stats(host, guest)
    rc, out = host.run(f"xd_view kms {guest.name} {SEED}", 120)
    after = screen_stats(host, guest)
    checks(rc == 0 and ": 0 pixels differ" in out, "vkms shows the guest's picture", out.strip())
    checks(re.search(r" [1-9]\d* frames imported, 0 bytes copied", out), "gtmux kms scans it out and copies nothing",
           out.strip().splitlines()[-1] if out.strip() else "")
    checks(after["bytes_copied"] == before["bytes_copied"] and after["dmabufs_made"] > before["dmabufs_made"],
           "nor does gtmux-dm", f"{after['dmabufs_made']} dma-bufs made, {after['bytes_copied']} bytes copied")


def kill_device(host, checks, guest):
    """A viewer outlives the device that made its frame; the next one makes another."""
    view = View(host, guest)
    host.check(f"kill -9 {device_pid(host, guest)}")
    wait(lambda: key(host, guest, "state") == "running" and key(host, guest, "restarts") == "1", 30)
    checks.equal(dmabufs(host), 1, "dma-bufs of a viewer whose device was killed")
    again = View(host, guest)
    shows(checks, again, "shared", "after the device was killed")
    view.close()
    again.close()
    checks(wait(lambda: dmabufs(host) == 0, 10), "none is left when the viewers are gone", f"{dmabufs(host)}")


def destroy(host, checks, guest):
    """What a viewer keeps holds the domain's memory, and so the domain, until it lets go."""
    view = View(host, guest)
    shows(checks, view, "shared", "before the guest is destroyed")
    host.check(f"xl destroy {guest.name}")
    time.sleep(1)
    listed = host.check("xl list")
    checks(len(listed.strip().splitlines()) == 3 and "(null)" in listed, "a viewer that keeps a picture keeps a zombie",
           listed.strip().splitlines()[-1])
    holders = host.check("cat $(grep -ls gtmux_xen_export /proc/[0-9]*/fdinfo/* | cut -d/ -f1-3 | sort -u | sed s,$,/comm,)")
    checks.equal(holders.split(), ["xd_view"], "the one that holds it can be found")
    view.close()
    gone = wait(lambda: len(host.check("xl list").strip().splitlines()) == 2, 20)
    checks(gone, "which goes with it", "" if gone else host.check("xl list"))


def with_module(host, checks, guest, pv):
    view = View(host, guest, with_list=True)
    if shows(checks, view, "shared", "with the module"):
        stats = screen_stats(host, guest)
        checks(stats["bytes_copied"] == 0 and stats["dmabufs_made"] == 1, "nothing was copied",
               f"{stats['dmabufs_made']} dma-bufs made, {stats['bytes_copied']} bytes copied")
        if pv:  # else they are addresses in dom0, which the IOMMU translates
            check_addresses(host, checks, view)
    view.close()


def without_module(host, checks, guest):
    checks("load the module gtmux_xen_export" in dm_log(host, guest), "without the module the log says what to do")
    view = View(host, guest)
    shows(checks, view, "copied", "without the module")
    view.close()
    load_modules(host)
    host.check(f"kill -HUP {key(host, guest, 'pid')}")
    wait(lambda: dm_log(host, guest).count("serving again") == 1, 30)


def end(host, checks):
    checks.equal(dmabufs(host), 0, "dma-bufs at the end")
    rc, out = host.run("rmmod gtmux_import_test gtmux_xen_export")
    checks(rc == 0, "the module can be removed", out.strip())
    bad = bad_lines(host.console())
    checks(not bad, "dom0's kernel has no complaint", " | ".join(bad[:5]))


def screens(host, checks, initrds, pv):
    """All with one guest, which shows a picture until it is destroyed."""
    census = Census(host)
    install_programs(host)
    if not pv:
        load_modules(host)
    programs = ("gt_exec",) if not pv else ()
    with make(host, initrds, "g1", (*programs, f"xt_show,{SEED},100000"), gpu=f"mode={WIDTH}x{HEIGHT}") as guest:
        guest.create()
        if not checks(guest.wait_for(r"SHOW \d+x\d+ ", BOOT_SECONDS + WORK_SECONDS), "the guest shows a picture",
                      f"{time.monotonic() - guest.started:.1f} s after xl create"):
            return
        for program in programs:
            ended = re.search(f"GT-RUN {program} EXIT 0", guest.log())
            checks(ended, f"the guest's {program}", "" if ended else guest.log()[-300:])
        if pv:
            without_module(host, checks, guest)
        with_module(host, checks, guest, pv)
        hostile(host, checks, guest)
        if host.version == "4.20":
            load_vkms(host)
            on_vkms(host, checks, guest)
        kill_device(host, checks, guest)
        destroy(host, checks, guest)
    census.check(checks)
    end(host, checks)


@scenario("a screen as a dma-buf in a PV dom0: by display/kmod, and what becomes of it", versions=OLDEST)
def display(host, checks, initrds):
    screens(host, checks, initrds, pv=True)


@scenario("what display/kmod refuses in a newer PV dom0: frames of a guest that does not run", versions=NEWEST)
def display_module(host, checks, initrds):
    install_programs(host)
    load_modules(host)
    with make(host, initrds, "g1", (), gpu=None, memory=64) as guest:
        guest.create("-p")
        hostile(host, checks, guest)
        sandbox(host, checks, guest)
    gone = wait(lambda: len(host.check("xl list").strip().splitlines()) == 2, 20)
    checks(gone, "no zombie", "" if gone else host.check("xl list"))
    end(host, checks)


@scenario("a PVH dom0: a guest's GPU works; the same as display, and on the screen of vkms", versions=NEWEST, pvh=True)
def display_pvh(host, checks, initrds):
    screens(host, checks, initrds, pv=False)
