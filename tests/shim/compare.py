#!/usr/bin/env python3
"""compare.py A B TOLERANCE OUTLIERS: compares two files of bytes, 4 a pixel, or two PNG files of 8-bit RGB or RGBA.

Passes (exit 0) when at most OUTLIERS pixels have a byte that differs by more than TOLERANCE. Prints what it found.
"""
import struct
import sys
import zlib


def unfilter(kind, row, last, step):
    """One row of a PNG (RFC 2083, 6)."""
    for i, value in enumerate(row):
        a = row[i - step] if i >= step else 0
        b, c = last[i], last[i - step] if i >= step else 0
        if kind == 1:
            value += a
        elif kind == 2:
            value += b
        elif kind == 3:
            value += (a + b) // 2
        elif kind == 4:
            p = a + b - c
            value += min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        row[i] = value & 255


def read_png(data):
    """The pixels as 4 bytes each."""
    at, packed, width, height, step = 8, b'', 0, 0, 3
    while at < len(data):
        size, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b'IHDR':
            width, height, _, color = struct.unpack('>IIBB', body[:10])
            step = 4 if color == 6 else 3
        elif kind == b'IDAT':
            packed += body
        at += size + 12
    raw, out, last = zlib.decompress(packed), bytearray(), bytearray(width * step)
    for y in range(height):
        start = y * (width * step + 1)
        row = bytearray(raw[start + 1:start + 1 + width * step])
        unfilter(raw[start], row, last, step)
        for x in range(width):
            out += row[x * step:x * step + 3] + b'\0'
        last = row
    return bytes(out)


def load(path):
    with open(path, 'rb') as f:
        data = f.read()
    return read_png(data) if data[:4] == b'\x89PNG' else data


def compare(a, b, tolerance, outliers):
    """(does it pass, what was found)"""
    try:
        a, b = load(a), load(b)
    except (OSError, zlib.error, struct.error) as e:
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
