#!/usr/bin/env python3
"""compare.py A B TOLERANCE OUTLIERS: compares two files of bytes, 4 a pixel, or two PNG files of 8-bit RGB or RGBA.

Passes (exit 0) when at most OUTLIERS pixels have a byte that differs by more than TOLERANCE. Prints what it found.
"""
import os
import struct
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'guest'))
from pngfile import read_png  # noqa: E402


def load(path):
    """The bytes of a file; of a PNG file red, green, blue and 0 of each pixel."""
    with open(path, 'rb') as f:
        data = f.read()
    if data[:4] != b'\x89PNG':
        return data
    width, height, rgb = read_png(path)
    out = bytearray(4 * width * height)
    for c in range(3):
        out[c::4] = rgb[c::3]
    return bytes(out)


def compare(a, b, tolerance, outliers):
    """(does it pass, what was found)"""
    try:
        a, b = load(a), load(b)
    except (OSError, ValueError, zlib.error, struct.error) as e:
        return False, str(e)
    if not a or len(a) != len(b):
        return False, '%d bytes instead of %d' % (len(a), len(b))
    if a == b:
        return True, 'equal'
    diff = [abs(x - y) for x, y in zip(a, b)]
    wrong = [i for i in range(0, len(diff), 4) if max(diff[i:i + 4]) > tolerance]
    text = 'largest difference %d, %d pixels differ by more than %d' % (max(diff), len(wrong), tolerance)
    if wrong:
        at = wrong[0]
        text += '; first at %d: %s instead of %s' % (at // 4, a[at:at + 4].hex(), b[at:at + 4].hex())
    return len(wrong) <= outliers, text


if __name__ == '__main__':
    passed, found = compare(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    print(found)
    sys.exit(not passed)
