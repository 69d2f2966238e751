"""HVM guests of a XenHost, made with plain xl. Python standard library only."""
import os
import re
import time

from bootdisk import make_boot_disk

# vga="none" and xen-platform away from its usual slot keep 00:02.0 free for the vGPU. tsc_mode: the emulated processor's
# rdtsc intercept does not work (see CPU in xenlab.py).
PLAIN = {
    "type": "hvm", "vga": "none", "vnc": 0, "sdl": 0, "usb": 0, "hap": 1, "viridian": 0, "tsc_mode": "native",
    "serial": "none", "xen_platform_pci": 0, "on_crash": "destroy", "on_reboot": "destroy",
    "device_model_args_hvm": ["-device", "xen-platform,addr=0x1f"],
}
# Of these, what any user's configuration would have; docs/xen.md says what to add.
USERS = {k: v for k, v in PLAIN.items() if k not in ("vga", "xen_platform_pci", "device_model_args_hvm")}
# What docs/xen.md tells users to add for a vGPU. With a VGA of QEMU's beside it videoram is 24.
GPU = {"vga": "none", "videoram": 8, "device_model_version": "qemu-xen", "xen_platform_pci": None,
       "device_model_override": "/usr/local/libexec/gtmux/dm-wrapper", "device_model_args_hvm": None}
# The emulated serial port costs milliseconds a character, hvc0 (Xen's PV console) next to nothing.
WORDS = "console=hvc0 panic=-1 mitigations=off tsc=reliable"
LISTS = ("device_model_args_hvm", "disk")  # further elements are added


class XenGuest:
    """One guest. create() starts it, destroy() or the context manager's end ends it.

    gpu: None for a guest without vGPU, else the options of gtmux-dm ("mode=800x600,heads=2", or "").
    plain: nothing in its configuration knows of vGPUs."""

    def __init__(self, host, name, kernel="6.12", words="", vcpus=1, memory=384, initrd=None, config=None, gpu=None,
                 plain=False):
        self.host, self.name = host, name
        self.kernel, self.initrd = f"kernels/{kernel}/vmlinuz", initrd or host.part(f"initrd/{kernel}.cpio.gz")
        self.cmdline = f"{WORDS} {words}".strip()
        self.config = (USERS if plain else PLAIN) | {"name": name, "memory": memory, "vcpus": vcpus}
        if gpu is not None:
            self.config |= GPU
            self.add({"device_model_args_hvm": ["-gtmux", gpu] if gpu else []})
        self.add(self.boot())
        self.add(config or {})
        self.domid, self.started = None, time.monotonic()

    def add(self, more):
        for key, v in more.items():
            self.config[key] = (self.config.get(key) or []) + v if key in LISTS else v

    def boot(self):
        """The keys of the configuration that say what to boot."""
        grub = self.host.part(f"xen-{self.host.version}/grub.bin")
        if not os.path.exists(grub):
            return {"kernel": f"/mnt/parts/{self.kernel}", "ramdisk": self.host.put(self.initrd), "cmdline": self.cmdline}
        make_boot_disk(os.path.join(self.host.share, f"{self.name}.disk"), grub, self.host.part(self.kernel), self.initrd,
                       self.cmdline)
        # Not on the share: 9p would have to pin the guest's memory as dom0's QEMU maps it, and cannot.
        self.host.check(f"mv /mnt/share/{self.name}.disk /run/")
        # AHCI: SeaBIOS reads it by DMA, and the guest has no driver for it.
        disk = ["-drive", f"file=/run/{self.name}.disk,format=raw,if=none,id=boot",
                "-device", "ahci,id=ahci,addr=0x1e", "-device", "ide-hd,bus=ahci.0,drive=boot,bootindex=0"]
        return {"device_model_args_hvm": disk}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.destroy()

    def text(self):
        """The configuration for xl; keys that are None are left out."""
        return "".join(f"{k}={value(v)}\n" for k, v in self.config.items() if v not in (None, []))

    def try_create(self, options="", timeout=60):
        """xl create; (exit code, output)."""
        self.started = time.monotonic()
        path = self.host.write(f"{self.name}.cfg", self.text())
        rc, output = self.host.run(f"xl create {options} {path}", timeout)
        self.domid = self.find()
        return rc, output

    def create(self, options="", timeout=60):
        rc, output = self.try_create(options, timeout)
        if rc != 0 or self.domid is None:
            raise GuestError(f"xl create {self.name}: exit code {rc}: {output[-1000:]}{self.causes()}")
        self.host.say(f"{self.name} is domain {self.domid}, {time.monotonic() - self.started:.1f} s for xl create")
        return self

    def find(self):
        """Its present domain id (a reboot changes it), None when there is none."""
        rc, output = self.host.run(f"xl domid {self.name}")
        return int(output) if rc == 0 else None

    def causes(self):
        """The ends of the logs that may say why a guest was not made."""
        logs = [f"log/{n}" for n in sorted(os.listdir(os.path.join(self.host.share, "log"))) if self.name in n]
        return "".join(f"\n{n}: ...{self.host.read(n)[-700:]}" for n in logs)

    def log(self):
        """Its console, from its first start on."""
        return self.host.read(f"console/guest-{self.name}.log")

    def wait_for(self, pattern, seconds=120, count=1):
        """True once the console has `count` matches of the pattern; False after `seconds` or when the guest is gone."""
        end, look = time.monotonic() + seconds, time.monotonic() + 5
        while time.monotonic() < end:
            if len(re.findall(pattern, self.log())) >= count:
                return True
            if time.monotonic() > look:
                look = time.monotonic() + 5
                if self.find() is None:
                    time.sleep(0.5)  # its last words
                    return len(re.findall(pattern, self.log())) >= count
            time.sleep(0.1)
        return False

    def wait_gone(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.find() is None:
                return True
            time.sleep(0.3)
        return False

    def destroy(self):
        if self.find() is not None:
            self.host.run(f"xl destroy {self.name}")
        self.domid = None


class GuestError(Exception):
    """A guest could not be made."""


def value(v):
    """In the syntax of xl.cfg."""
    if isinstance(v, (list, tuple)):
        return "[" + ",".join(value(x) for x in v) + "]"
    return str(v) if isinstance(v, int) else f'"{v}"'
