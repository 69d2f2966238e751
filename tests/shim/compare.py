#!/usr/bin/env python3
"""compare.py A B TOLERANCE OUTLIERS: compares two files of bytes, 4 a pixel.

Passes (exit 0) when at most OUTLIERS pixels have a byte that differs by more than TOLERANCE. Prints what it found.
"""
import sys


def main(a, b, tolerance, outliers):
    try:
        with open(a, 'rb') as f:
            a = f.read()
        with open(b, 'rb') as f:
            b = f.read()
    except OSError as e:
        print(e)
        return 1
    if not a or len(a) != len(b):
        print('%d bytes instead of %d' % (len(a), len(b)))
        return 1
    if a == b:
        print('equal')
        return 0
    diff = [abs(x - y) for x, y in zip(a, b)]
    wrong = [i for i in range(0, len(diff), 4) if max(diff[i:i + 4]) > tolerance]
    text = 'largest difference %d, %d pixels differ by more than %d' % (max(diff), len(wrong), tolerance)
    if wrong:
        at = wrong[0]
        text += '; first at %d: %s instead of %s' % (at // 4, a[at:at + 4].hex(), b[at:at + 4].hex())
    print(text)
    return len(wrong) > outliers


sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
