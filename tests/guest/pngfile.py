"""Reads PNG files as gtmux and compositors write them. Python standard library only."""
import struct
import zlib


def chunks(data):
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8:at + 8 + length]
        at += 12 + length


def unfilter(kind, row, above, bpp):
    """One row (PNG specification, section 9)."""
    for i, byte in enumerate(row):
        a = row[i - bpp] if i >= bpp else 0
        b = above[i]
        c = above[i - bpp] if i >= bpp else 0
        if kind == 4:
            pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
            add = a if pa <= pb and pa <= pc else b if pb <= pc else c
        else:
            add = (0, a, b, (a + b) // 2)[kind]
        row[i] = (byte + add) & 255
    return row


def read_png(path):
    """(width, height, red, green and blue of all pixels) of an 8 bit RGB or RGBA file that is not interlaced."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{path} is no PNG file")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    if depth != 8 or colour not in (2, 6) or interlaced:
        raise ValueError(f"{path}: depth {depth}, colour type {colour}, interlaced {interlaced}")
    bpp = 3 if colour == 2 else 4
    raw = zlib.decompress(b"".join(body for kind, body in chunks(data) if kind == b"IDAT"))
    above, out = bytearray(width * bpp), bytearray()
    for y in range(height):
        at = y * (width * bpp + 1)
        above = unfilter(raw[at], bytearray(raw[at + 1:at + 1 + width * bpp]), above, bpp) if raw[at] else \
            bytearray(raw[at + 1:at + 1 + width * bpp])
        out += above if bpp == 3 else b"".join(bytes(above[i:i + 3]) for i in range(0, len(above), 4))
    return width, height, bytes(out)
