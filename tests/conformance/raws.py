"""Raw files as the makers of cameras build them, without a sensor's levels worth the name."""

import struct

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
OFFSETS, SAMPLES, ROWS, COUNTS, BELOW = 273, 277, 278, 279, 330
RGB, CFA, LINEAR_RAW = 2, 32803, 34892
DNG_VERSION = {50706: 0x401}


def tiff(chain, *, order="<", big=False):
    """Return a TIFF with a chain of directories.

    Args:
        chain: Each a mapping of tags to numbers, or a pair of one and the directories below it.
        order: Byte order, as ``struct`` writes it.
        big: BigTIFF.
    """
    word, size = ("Q", 8) if big else ("I", 4)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    head += struct.pack(order + "HH", 8, 0) if big else b""
    data = bytearray(head.ljust(16, b"\0") + bytes(192))

    def append(fields, below=()):
        places = [append(each)[0] for each in below]
        array = len(data)
        data.extend(struct.pack(order + f"{len(places)}I", *places))
        start = len(data)
        entries = fields | ({BELOW: 0} if places else {})
        data.extend(struct.pack(order + ("Q" if big else "H"), len(entries)))
        for tag in sorted(entries):
            values = places if tag == BELOW else [entries[tag]]
            packed = struct.pack(order + f"{len(values)}I", *values)
            if len(packed) > size:
                packed = struct.pack(order + word, array)
            data.extend(struct.pack(order + "HH" + word, tag, 4, len(values)))
            data.extend(packed.ljust(size, b"\0"))
        data.extend(bytes(size))
        return start, len(data) - size

    link = len(head)
    for each in chain:
        start, after = append(*each) if isinstance(each, tuple) else append(each)
        struct.pack_into(order + word, data, link, start)
        link = after
    return bytes(data)


def directory(subfile=0, photometric=RGB, compression=1, **more):
    """Return the tags of 8 x 8 pixels at the head of the file."""
    samples = 3 if photometric in (RGB, LINEAR_RAW) else 1
    return {
        SUBFILE: subfile, WIDTH: 8, HEIGHT: 8, BITS: 8, COMPRESSION: compression,
        PHOTOMETRIC: photometric, OFFSETS: 16, SAMPLES: samples, ROWS: 8, COUNTS: 64 * samples,
        **{int(tag): value for tag, value in more.items()},
    }  # fmt: skip


PREVIEW = directory(subfile=1)
SENSOR = directory(photometric=CFA)
CODED_PREVIEW = directory(subfile=1, compression=7)

RAW = {
    "nikon.nef": lambda: tiff([(PREVIEW, [CODED_PREVIEW, SENSOR])], order=">"),
    "sony.arw": lambda: tiff([(PREVIEW, [directory(photometric=CFA, compression=32767)])]),
    "samsung.srw": lambda: tiff([(PREVIEW, [directory(compression=32770)])]),
    "pentax.pef": lambda: tiff([directory(compression=65535), PREVIEW], order=">"),
    "kodak.kdc": lambda: tiff([directory(), SENSOR], order=">"),
    "epson.erf": lambda: tiff([(PREVIEW, [SENSOR])], order=">"),
    "preview.tif": lambda: tiff([(PREVIEW, [directory()])]),
    "adobe.dng": lambda: tiff([(PREVIEW | DNG_VERSION, [directory()])]),
    "linear.dng": lambda: tiff([directory(photometric=LINEAR_RAW) | DNG_VERSION]),
    "large.dng": lambda: tiff([(PREVIEW | DNG_VERSION, [SENSOR, CODED_PREVIEW])], big=True),
    "large.nef": lambda: tiff([(PREVIEW, [CODED_PREVIEW, SENSOR])], order=">", big=True),
    "canon.cr2": lambda: b"II*\0\x10\0\0\0CR\2\0" + tiff([directory()])[12:],
    "canon.cr3": lambda: b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100),
    "canon.crw": lambda: b"II\x1a\0\0\0HEAPCCDR" + bytes(100),
    "fuji.raf": lambda: b"FUJIFILMCCD-RAW 0201" + bytes(100),
    "panasonic.rw2": lambda: b"IIU\0" + tiff([directory()])[4:],
    "olympus.orf": lambda: b"IIRO" + tiff([directory()])[4:],
    "sigma.x3f": lambda: b"FOVb" + bytes(100),
    "minolta.mrw": lambda: b"\0MRM" + bytes(100),
}
"""By a name that says the maker; in each the image is what a raw converter would make."""
