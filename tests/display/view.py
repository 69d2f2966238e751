"""gtmux view on compositors without a screen: sway, which tells what its user would do, and weston. The guest is
prog/screen-guest. No virtual machine is needed, but for QEMU's input devices a QEMU whose firmware finds nothing to
start."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))
from labrun import BIN, lab_path  # noqa: E402
from pictures import Vnc, png, rgb  # noqa: E402

PATIENCE = 30  # seconds: machines are busy
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]  # sway does not run as root
SWAY = """output * resolution 1280x800 position 0 0
output * bg #102030 solid_color
default_border none
default_floating_border none
focus_follows_mouse no
xwayland disable
for_window [app_id="gtmux"] floating enable, border none, move position 0 0
"""


def until(condition, seconds=PATIENCE):
    """The first true value of condition(), or its last one."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.05)


def ppm(path):
    """(width, height, pixels as bytes B G R each) of a binary PPM file."""
    with open(path, "rb") as f:
        kind, size, _depth, data = f.read().split(b"\n", 3)
    assert kind == b"P6"
    width, height = map(int, size.split())
    out = bytearray(data)
    out[0::3], out[2::3] = data[2::3], data[0::3]
    return width, height, bytes(out)


def corner(picture, width, height):
    """The upper left part of a picture."""
    w, _h, pixels = picture
    return b"".join(pixels[y * w * 3:(y * w + width) * 3] for y in range(height))


class Scene:
    """A directory, a gtmux-dm with a scripted guest, and what else is started in it. A context manager."""

    def __init__(self):
        self.name = "g"
        self.dir = tempfile.mkdtemp(prefix="gtmux-view-")
        self.runtime = os.path.join(self.dir, "rt")
        self.run_dir = os.path.join(self.dir, "run")
        self.env = dict(os.environ, XDG_RUNTIME_DIR=self.runtime, HOME=self.runtime)
        self.env.pop("WAYLAND_DISPLAY", None)
        self.children = []
        os.chmod(self.dir, 0o755)
        os.mkdir(self.runtime, 0o700)
        if os.getuid() == 0:
            os.chown(self.runtime, 65534, 65534)

    def start(self, args, name, **more):
        with open(os.path.join(self.dir, name + ".log"), "ab") as log:
            p = subprocess.Popen(args, env=self.env, cwd=self.dir, **{"stdout": log, "stderr": log, **more})
        self.children.append(p)
        return p

    def log(self, name):
        with open(os.path.join(self.dir, name + ".log"), errors="replace") as f:
            return f.read()

    def __enter__(self):
        sock = os.path.join(self.dir, "vfio")
        self.dm = self.start([os.path.join(BIN, "gtmux-dm"), f"--vfio-user={sock}", f"--name={self.name}",
                              f"--run-dir={self.run_dir}"], "dm")
        self.guest = self.start([os.path.join(BIN, "display", "screen-guest"), sock], "guest", stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        assert self.guest.stdout.readline() == "ok\n"
        return self

    def __exit__(self, *_):
        for p in reversed(self.children):
            if p.poll() is None:
                p.terminate()
            try:
                p.wait(timeout=10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def tell(self, line):
        self.guest.stdin.write(line + "\n")
        self.guest.stdin.flush()
        assert self.guest.stdout.readline() == "ok\n", line

    def gtmux(self, *args):
        return subprocess.run([os.path.join(BIN, "gtmux"), args[0], f"--run-dir={self.run_dir}", *args[1:]],
                              capture_output=True, text=True, timeout=20, check=False)

    def display(self):
        return json.loads(self.gtmux("stats", self.name, "--json").stdout)["display"]

    def mode(self):
        """What the guest's connector offers."""
        return json.loads(self.gtmux("list", "--json").stdout)[0]["heads"][0]["mode"]

    def screenshot(self):
        path = os.path.join(self.dir, "shot.png")
        self.gtmux("screenshot", self.name, path)
        return png(path)

    def view(self, *args, name="view"):
        log = os.path.join(self.dir, name + ".log")
        if os.path.exists(log):
            os.unlink(log)
        return self.start([os.path.join(BIN, "gtmux"), "view", self.name, f"--run-dir={self.run_dir}", "--verbose", *args], name)

    def sway(self):
        config = os.path.join(self.dir, "sway.conf")
        with open(config, "w") as f:
            f.write(SWAY)
        self.env.update(WLR_BACKENDS="headless", WLR_RENDERER="pixman", WLR_LIBINPUT_NO_DEVICES="1")
        self.start([*(NOBODY if os.getuid() == 0 else []), "sway", "-c", config], "sway")

        def sockets():
            names = os.listdir(self.runtime)
            ipc = [n for n in names if n.startswith("sway-ipc")]
            display = [n for n in names if re.fullmatch(r"wayland-\d+", n)]
            return ipc and display and (ipc[0], display[0])

        found = until(sockets)
        if not found:
            raise RuntimeError("sway does not start: " + self.log("sway")[-300:])
        self.env.update(SWAYSOCK=os.path.join(self.runtime, found[0]), WAYLAND_DISPLAY=found[1])
        until(lambda: self.swaymsg("-t", "get_outputs").returncode == 0)

    def hand(self):
        """Keyboard and pointer of sway's user: a VNC client that is not ours moves them."""
        path = os.path.join(self.runtime, "hand")
        self.start([*(NOBODY if os.getuid() == 0 else []), "wayvnc", "--unix-socket", path], "hand")
        until(lambda: os.path.exists(path))
        return Vnc(path)

    def swaymsg(self, *words):
        return subprocess.run(["swaymsg", *words], env=self.env, capture_output=True, text=True, timeout=20, check=False)

    def screen(self):
        path = os.path.join(self.dir, "screen.ppm")
        subprocess.run(["grim", "-t", "ppm", path], env=self.env, check=True, timeout=20)
        return ppm(path)

    def same(self):
        """True once the window, at the screen's upper left corner, shows what a screenshot of the guest does."""
        def once():
            want = self.screenshot()
            return corner(self.screen(), want[0], want[1]) == want[2]
        return until(once)


def numbers(text):
    """The counters that gtmux view has printed."""
    m = re.search(r"(\d+) commits; flips: (\d+) as dma-bufs, (\d+) as gtmux-dm's copies, (\d+) copied; (\d+) bytes", text)
    return tuple(map(int, m.groups())) if m else None


def pictures(results, s):
    s.tell("show 320 240 8888 linear 1")
    view = s.view()
    if not results.check(s.same(), "view: the window shows what a screenshot shows",
                         (s.log("view") + s.log("sway"))[-300:]):
        return
    s.tell("put 17 33 ff8040")
    s.tell("put 319 239 123456")
    results.check(s.same() and corner(s.screen(), 320, 240)[-3:] == b"\x56\x34\x12",
                  "view: and what the guest draws without a flip")
    for i in range(20):
        s.tell(f"flip {i + 2}")
        time.sleep(0.02)
    results.check(s.same(), "view: and the last of 20 flips")
    s.tell("cursor 200 100")
    results.check(s.same() and corner(s.screen(), 230, 120)[-60:-57] == b"\xff\x13\0", "view: and the cursor")
    s.tell("cursor 20 130")
    results.check(s.same(), "view: also elsewhere")
    s.tell("no-cursor")
    for layout in ("8888 x", "565 linear", "565 y"):
        s.tell(f"show 350 250 {layout} 5")
        results.check(s.same(), f"view: {layout}, and the window has followed the mode")
    s.tell("dark")
    results.check(until(lambda: not any(corner(s.screen(), 350, 250))), "view: a dark head is black")
    before = s.display()
    view.send_signal(signal.SIGTERM)
    code = view.wait(timeout=20)
    n = numbers(s.log("view"))
    results.check(code == 0 and n and n[2] > 2 and n[3] >= 2, "view: ends with SIGTERM; what gtmux-dm had copied was "
                  "passed on, 565 was copied", f"{code} {s.log('view')}")
    results.check(before["viewers_sent_away"] == 0 and until(lambda: s.display()["viewers"] == 0), "view: no viewer is left")


def own_copies(results, s):
    s.tell("show 320 240 8888 linear 30")
    view = s.view("--copy")
    ok = s.same()
    s.tell("draw 31 100")
    ok = s.same() and ok
    s.tell("flip 32")
    results.check(s.same() and ok, "view --copy: picture, change and flip")
    time.sleep(0.5)
    s.swaymsg('[app_id="gtmux"] kill')
    code = view.wait(timeout=20)
    n = numbers(s.log("view"))
    results.check(code == 0 and n and n[1:3] == (0, 0) and n[3] >= 2, "view --copy: ends when the window is closed",
                  f"{code} {s.log('view')}")
    # The first look after a flip finds everything new, once; after that only what was drawn is copied.
    picture = 320 * 240 * 4
    results.check(n and n[4] <= 6 * picture, "view --copy: copies what has changed", f"{n and n[4] / picture:.2f} pictures")


def two_viewers(results, s):
    s.tell("show 320 240 8888 linear 40")
    view = s.view()
    path = os.path.join(s.dir, "vnc")
    vnc = s.start([os.path.join(BIN, "gtmux"), "vnc", f"--run-dir={s.run_dir}", f"--unix={path}", "g"], "vnc")
    ok = until(lambda: os.path.exists(path)) and s.same()
    client = Vnc(path)

    def client_same():
        client.ask(0)
        client.update()
        want = s.screenshot()
        return (client.width, client.height) == want[:2] and client.pixels and rgb(client.pixels) == want[2]

    for i in range(3):
        s.tell(f"flip {41 + i}")
        ok = until(client_same) and s.same() and ok
    results.check(ok and s.display()["viewers"] == 2, "view: beside a VNC client on the same head, both see 3 flips")
    client.close()
    for p in (vnc, view):
        p.terminate()
        results.check(p.wait(timeout=20) == 0, f"view: {'gtmux vnc' if p is vnc else 'gtmux view'} ends well")


def resizes(results, s):
    s.tell("show 640 480 8888 linear 50")
    view = s.view()
    s.same()
    s.swaymsg('[app_id="gtmux"] resize set 900 620, move position 0 0')
    if results.check(until(lambda: s.mode().startswith("900x620@")), "view: the window's new size is the guest's new mode",
                     s.mode()):
        results.check(until(lambda: s.screen()[2][(619 * 1280 + 450) * 3:(619 * 1280 + 450) * 3 + 3] != b"\x30\x20\x10"),
                      "view: meanwhile the picture fills the window")
        s.tell("show 900 620 8888 linear 51")
        results.check(s.same(), "view: the guest's answer is shown as it is")
    for width in range(500, 800, 10):
        s.swaymsg(f'[app_id="gtmux"] resize set {width} 400')
    results.check(until(lambda: s.mode().startswith("790x400@")), "view: of 30 sizes the last one counts", s.mode())
    view.terminate()
    view.wait(timeout=20)
    asked = re.search(r"(\d+) modes asked for", s.log("view"))
    results.check(asked and int(asked[1]) <= 12, "view: and few are asked for", s.log("view"))
    s.tell("show 640 480 8888 linear 52")
    mode = s.mode()
    view = s.view("--no-resize")
    s.same()
    s.swaymsg('[app_id="gtmux"] resize set 900 620')
    time.sleep(1)
    results.check(s.mode() == mode, "view --no-resize: the guest keeps its mode", s.mode())
    view.terminate()
    view.wait(timeout=20)


def input_to_qemu(results, s):
    """Real input devices, of a QEMU that traces what they are told."""
    qmp = os.path.join(s.dir, "qmp")
    qemu = s.start([os.path.join(lab_path("qemu"), "qemu-system-x86_64"), "-display", "none", "-nodefaults", "-m", "64",
                    "-machine", "pc,accel=tcg", "-device", "usb-ehci", "-device", "usb-tablet", "-qmp",
                    f"unix:{qmp},server=on,wait=off", "-trace", "input_event_*"], "qemu")
    if not results.check(until(lambda: os.path.exists(qmp)), "view: QEMU is there", s.log("qemu")[-300:]):
        return
    s.tell("show 640 480 8888 linear 60")
    view = s.view(f"--qmp={qmp}")
    s.same()
    time.sleep(0.5)

    def traced(pattern):
        return until(lambda: re.search(pattern, s.log("qemu")), 10)

    hand = s.hand()
    hand.pointer(10, 10, 0)
    hand.pointer(320, 240, 0)
    # The middle of pixel 320 of 640 and of 240 of 480, of 0x8000.
    results.check(traced(r"input_event_abs .*axis x, value 0x4019\n") and traced(r"axis y, value 0x4022\n"),
                  "view: QEMU's tablet is where the pointer is", s.log("qemu")[-400:])
    hand.pointer(320, 240, 1)
    hand.pointer(320, 240, 0)
    results.check(traced(r"input_event_btn .*left, down 1") and traced(r"input_event_btn .*left, down 0"),
                  "view: and gets its button", s.log("qemu")[-400:])
    hand.pointer(320, 240, 16)
    hand.pointer(320, 240, 0)
    results.check(traced(r"input_event_btn .*wheel-down, down 1"), "view: and its wheel", s.log("qemu")[-400:])
    hand.key(ord("a"), 1)
    hand.key(ord("a"), 0)
    results.check(traced(r"key qcode a, down 1") and traced(r"key qcode a, down 0"), "view: QEMU's keyboard gets keys",
                  s.log("qemu")[-400:])
    hand.key(ord("b"), 1)
    results.check(until(lambda: len(re.findall("key qcode b, down 1", s.log("qemu"))) > 3, 10),
                  "view: a key that is held repeats", s.log("qemu")[-400:])
    hand.key(ord("b"), 0)
    qemu.send_signal(signal.SIGSTOP)
    for i in range(200):
        hand.pointer(i, i, i % 2)
    hand.pointer(1279, 799, 0)  # out of the picture
    s.tell("flip 61")
    results.check(s.same(), "view: a QEMU that stands still does not stop the picture")
    qemu.send_signal(signal.SIGCONT)
    hand.pointer(320, 240, 0)
    hand.key(ord("c"), 1)
    results.check(traced(r"key qcode c, down 1"), "view: then QEMU goes on", s.log("qemu")[-400:])
    s.dm.terminate()
    code = view.wait(timeout=20)
    results.check(code == 1 and "has gone" in s.log("view"), "view: ends when gtmux-dm does, with exit code 1",
                  f"{code} {s.log('view')}")
    results.check(traced(r"key qcode c, down 0"), "view: and lets the key go that is down", s.log("qemu")[-400:])
    qemu.terminate()


def on_weston(results, s):
    """Full screen, as a compositor of another make does it."""
    s.env.pop("WAYLAND_DISPLAY", None)
    config = os.path.join(s.dir, "weston.ini")
    with open(config, "w") as f:
        f.write("[shell]\nstartup-animation=none\npanel-position=none\n")
    s.start([*(NOBODY if os.getuid() == 0 else []), "weston", "--backend=headless-backend.so", "--use-pixman",
             f"--config={config}", "--width=512", "--height=400", "--socket=west", "--debug", "--idle-time=0"], "weston")
    if not results.check(until(lambda: os.path.exists(os.path.join(s.runtime, "west"))), "view: weston starts",
                         s.log("weston")[-300:]):
        return
    s.env["WAYLAND_DISPLAY"] = "west"
    s.tell("show 640 480 8888 linear 70")
    view = s.view("--fullscreen")
    results.check(until(lambda: s.mode().startswith("512x400@")), "view --fullscreen: the guest's mode is the screen's",
                  s.mode() + s.log("view"))
    s.tell("show 512 400 full x 71")  # weston-screenshooter takes the unused bits for the alpha channel

    def once():
        for name in os.listdir(s.dir):
            if name.startswith("wayland-screenshot"):
                os.unlink(os.path.join(s.dir, name))
        subprocess.run(["weston-screenshooter"], env=s.env, cwd=s.dir, check=False, timeout=20, capture_output=True)
        found = [n for n in os.listdir(s.dir) if n.startswith("wayland-screenshot")]
        return found and png(os.path.join(s.dir, found[0])) == s.screenshot()

    results.check(until(once), "view --fullscreen: weston's screenshot is gtmux's")
    view.terminate()
    results.check(view.wait(timeout=20) == 0, "view --fullscreen: ends well", s.log("view"))


class Quiet:
    """Results whose details are printed only of what has failed."""

    def __init__(self, results):
        self.results = results

    def check(self, ok, what, detail=""):
        return self.results.check(ok, what, "" if ok else detail)


def view(results, _tests):
    results = Quiet(results)
    with Scene() as s:
        s.sway()
        for part in (pictures, own_copies, two_viewers, resizes, input_to_qemu):
            part(results, s)
    with Scene() as s:
        on_weston(results, s)
