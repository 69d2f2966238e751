"""What Mesa draws in a guest: scenes of glprobe and frames of kmscube, and whether they are right. Python standard library
only."""
import base64
import gzip
import os
import re
import subprocess
import sys

from labrun import BIN

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "shim"))
from compare import compare, load  # noqa: E402

PROBE = os.path.join(BIN, "shim", "glprobe")
# What a guest needs in /t for scenes() and cube().
PROGRAMS = [PROBE, *(os.path.join(BIN, "guest", name) for name in ("glprobe-show", "kmscube-show", "desktop-show"))]
RENDERER = "HD Graphics 530 (SKL GT2)"


def scenes(names):
    """The word of the guest's command line that draws them."""
    return f"gt.runroot=glprobe-show,{','.join(names)}"


def cube(frames):
    return f"gt.runroot=kmscube-show,-c,{frames}"


def tolerances():
    """{scene: (largest difference of a byte, pixels that may differ more)}"""
    lines = subprocess.run([PROBE, "--list"], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: (int(t), int(o)) for name, t, o in map(str.split, lines)}


def teal(path):
    """Pixels of the colour of vkcube's faces, which nothing else on the screen has."""
    pixels = load(path)
    return sum(1 for i in range(0, len(pixels), 4) if pixels[i] < 60 and pixels[i + 1] > 70 and pixels[i + 2] > 70)


def reference(check, work, names):
    """Draws the scenes with Mesa's software driver here."""
    env = dict(os.environ, LIBGL_ALWAYS_SOFTWARE="1", MESA_SHADER_CACHE_DISABLE="1")
    out = subprocess.run([PROBE, work, *names], env=env, capture_output=True, text=True, check=False)
    check(out.returncode == 0 and "llvmpipe" in out.stdout, "the reference is drawn", out.stdout + out.stderr)


def judge(check, work, log, names):
    """The scenes that a guest's log has, against the reference."""
    limits = tolerances()
    drawn = dict(re.findall(r"^RAW (\S+) (\S+)\s*$", log, re.M))
    for name in names:
        ours = os.path.join(work, name + ".guest")
        if not check(name in drawn, f"{name} is drawn", "" if name in drawn else log[-300:]):
            continue
        with open(ours, "wb") as f:
            f.write(gzip.decompress(base64.b64decode(drawn[name])))
        ok, found = compare(ours, os.path.join(work, name + ".raw"), *limits[name])
        check(ok, f"{name} has the right pixels", found)


def judge_cube(check, work, shots, mode, frames):
    """The picture of frame N is the same wherever it is drawn: each screenshot is one of the frames that the shim shows."""
    where = os.path.join(work, "frames")
    silent, other_end = os.pipe()
    subprocess.run([os.path.join(BIN, "gtmux"), "exec", "--png", where, "--frames", str(frames), "--mode", mode, "--",
                    "kmscube", "-c", str(frames)], stdin=silent, capture_output=True, check=False)
    os.close(silent)
    os.close(other_end)
    known = {name: load(os.path.join(where, name)) for name in sorted(os.listdir(where))}
    found = []
    for shot in shots:
        pixels = load(shot)[::101]
        best = min(known, key=lambda name: sum(abs(a - b) for a, b in zip(known[name][::101], pixels)))
        ok, text = compare(shot, os.path.join(where, best), 2, 0)
        check(ok, f"{os.path.basename(shot)} is {best} of gtmux exec", text)
        found.append(best)
    check(len(set(found)) > 1, "the cube has moved", ", ".join(found))
