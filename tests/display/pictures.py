"""Pictures as lists of rows of 24-bit pixels: from a VNC server, and from the PNG files that we write. Python standard
library only, nothing of gtmux: it judges it."""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))
from pngfile import read_png  # noqa: E402


class Vnc:
    """A client of RFB 3.8 without a password, on a unix socket; raw encoding."""

    def __init__(self, path, timeout=30):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.read(12)
        self.sock.sendall(b"RFB 003.008\n")
        kinds = self.read(self.read(1)[0])
        assert 1 in kinds, "the server wants a password"
        self.sock.sendall(b"\1")
        assert self.read(4) == b"\0\0\0\0"
        self.sock.sendall(b"\1")
        self.width, self.height = struct.unpack(">HH", self.read(4))
        self.read(16)
        self.read(struct.unpack(">I", self.read(4))[0])
        self.sock.sendall(struct.pack(">BxxxBBBBHHHBBBxxx", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        self.sock.sendall(struct.pack(">BxHii", 2, 2, 0, -223))  # raw, and other sizes
        self.pixels = None

    def read(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise EOFError("the VNC server has closed the connection")
            data += more
        return data

    def ask(self, incremental):
        self.sock.sendall(struct.pack(">BBHHHH", 3, incremental, 0, 0, self.width, self.height))

    def key(self, keysym, down):
        self.sock.sendall(struct.pack(">BBxxI", 4, down, keysym))

    def pointer(self, x, y, buttons):
        self.sock.sendall(struct.pack(">BBHH", 5, buttons, x, y))

    def update(self):
        """Reads one update into self.pixels (32 bits each, rows of self.width)."""
        while True:
            kind = self.read(1)[0]
            if kind == 0:
                break
            assert kind in (1, 2, 3), kind
            if kind == 3:
                self.read(3)
                self.read(struct.unpack(">I", self.read(4))[0])
        self.read(1)
        for _ in range(struct.unpack(">H", self.read(2))[0]):
            x, y, w, h, encoding = struct.unpack(">HHHHi", self.read(12))
            if encoding == -223:
                self.width, self.height, self.pixels = w, h, None
                continue
            assert encoding == 0, encoding
            data = self.read(w * h * 4)
            if self.pixels is None:
                self.pixels = bytearray(self.width * self.height * 4)
            for row in range(h):
                at = ((y + row) * self.width + x) * 4
                self.pixels[at:at + w * 4] = data[row * w * 4:(row + 1) * w * 4]

    def skip(self):
        """Reads one update and forgets its pixels."""
        if self.read(1)[0] != 0:
            raise AssertionError("an update was expected")
        self.read(1)
        for _ in range(struct.unpack(">H", self.read(2))[0]):
            _, _, w, h, encoding = struct.unpack(">HHHHi", self.read(12))
            assert encoding == 0, encoding
            room = memoryview(bytearray(w * h * 4))
            while room:
                n = self.sock.recv_into(room)
                if not n:
                    raise EOFError("the VNC server has closed the connection")
                room = room[n:]

    def close(self):
        self.sock.close()


def rgb(pixels):
    """24-bit colours of little endian XRGB8888, as bytes B G R each."""
    out = bytearray(len(pixels) // 4 * 3)
    for c in range(3):
        out[c::3] = pixels[c::4]
    return bytes(out)


def png(path):
    """(width, height, pixels as bytes B G R each) of a PNG file."""
    width, height, pixels = read_png(path)
    out = bytearray(pixels)
    out[0::3], out[2::3] = out[2::3], out[0::3]
    return width, height, bytes(out)
