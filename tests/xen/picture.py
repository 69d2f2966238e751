"""What xt_show paints."""


def expected(width, height, seed):
    """Red, green and blue of all pixels of xt_show's picture (prog/xt_show.c, pixel())."""
    out = bytearray()
    for y in range(height):
        for x in range(width):
            out += bytes(((x * 255 + y * 3 + seed * 77) & 255, (x * y + seed) & 255, (x ^ y ^ seed) & 255))
    return bytes(out)
