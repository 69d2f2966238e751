"""A guest's desktop in a window of gtmux view: what happens when its user resizes it. Python standard library only."""
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "display"))
from view import Quiet, Scene, numbers, until  # noqa: E402

PROGRAMS = [f"/usr/bin/{name}" for name in ("xrandr", "xev")]  # of the packages here; run by desktop-show
GROUND = b"\0\0\0"  # the X server's root window; the compositor's own is not black


class Window(Scene):
    """A compositor without a screen beside a guest that runs already."""

    def __init__(self, guest):
        super().__init__()
        self.name, self.run_dir = guest.name, guest.run_dir

    def __enter__(self):
        return self

    def resize(self, width, height):
        self.swaymsg(f'[app_id="gtmux"] resize set {width} {height}, move position 0 0')

    def shows(self, width, height):
        """The picture is that of the guest, has something on it, and ends with the window at its lower right corner."""
        def once():
            screen = self.screen()
            at = ((height - 1) * screen[0] + width - 1) * 3
            return screen[2][at:at + 3] == GROUND and screen[2][at + 3:at + 6] != GROUND
        return until(once) and self.same() and b"\xff" in self.screenshot()[2]


def resizes(results, guest, first, sizes):
    """The window of a guest whose desktop-show has come to its last part."""
    check = Quiet(results).check
    if not check(guest.wait_for(rf"DESKTOP is {first}", 120), f"window: the desktop starts with {first}", guest.log()[-300:]):
        return
    with Window(guest) as w:
        w.sway()
        view = w.view()
        check(w.shows(*map(int, first.split("x"))), "window: shows the desktop", (w.log("view") + w.log("sway"))[-300:])
        for width, height in sizes:
            w.resize(width, height)
            check(guest.wait_for(rf"DESKTOP is {width}x{height}\b", 60), f"window: {width}x{height} reaches the guest's desktop",
                  " ".join(re.findall("DESKTOP is .*", guest.log())) + w.log("view")[-300:])
            shot = w.shows(width, height) and w.screenshot()[:2]
            check(shot == (width, height), "window: and its picture fills the window", f"{shot}")
        view.send_signal(signal.SIGTERM)
        code = view.wait(timeout=20)
        asked = re.search(r"(\d+) modes asked for", w.log("view"))
        check(code == 0 and asked and int(asked[1]) == len(sizes) and numbers(w.log("view")),
              "window: a mode was asked for each size", w.log("view"))
    guest.gtmux("head", guest.name, "0", "off")
    check(guest.wait_for("DESKTOP is dark", 60), "window: the desktop notices that its monitor is unplugged")
