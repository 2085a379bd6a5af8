"""MRTD of a firmware image, both orders, one per line: written from Intel's specifications alone, apart from our code.

usage: mrtd.py FIRMWARE
TDX metadata: Intel TDX Virtual Firmware Design Guide, 11; the stream that is hashed: Intel TDX Module Base Specification,
TDH.MEM.PAGE.ADD and TDH.MR.EXTEND.
"""
import hashlib
import struct
import sys
import uuid

FOOTER = uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
METADATA = uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2").bytes_le
PAGE, CHUNK, EXTEND, AUG = 4096, 256, 1, 2


def sections(image):
    end = len(image) - 32
    assert image[end - 16 : end] == FOOTER, "no table of GUIDs"
    low, at = end - struct.unpack("<H", image[end - 18 : end - 16])[0], end - 18
    while at > low:
        size, name = struct.unpack("<H", image[at - 18 : at - 16])[0], image[at - 16 : at]
        if name == METADATA:
            start = len(image) - struct.unpack("<I", image[at - size : at - size + 4])[0]
            magic, _, version, count = struct.unpack_from("<4sIII", image, start)
            assert magic == b"TDVF" and version == 1, "no metadata"
            return [struct.unpack_from("<IIQQII", image, start + 16 + 32 * i) for i in range(count)]
        at -= size
    sys.exit("no TDX metadata")


def block(name, address):
    return name.ljust(16, b"\0") + struct.pack("<Q", address) + bytes(104)


def mrtd(image, section_by_section):
    stream = hashlib.sha384()
    for offset, size, address, memory, _, attributes in sections(image):
        content = image[offset : offset + size] + bytes(memory - size)
        extends = {
            page: b"".join(
                block(b"MR.EXTEND", address + at) + content[at : at + CHUNK] for at in range(page, page + PAGE, CHUNK)
            )
            for page in range(0, memory, PAGE)
            if attributes & EXTEND
        }
        for page in range(0, memory, PAGE):
            if not attributes & AUG:
                stream.update(block(b"MEM.PAGE.ADD", address + page))
            if not section_by_section:
                stream.update(extends.get(page, b""))
        if section_by_section:
            for page in sorted(extends):
                stream.update(extends[page])
    return stream.hexdigest()


with open(sys.argv[1], "rb") as file:
    firmware = file.read()
print(mrtd(firmware, False))
print(mrtd(firmware, True))
