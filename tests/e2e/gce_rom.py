#!/usr/bin/env python3
"""gce_rom.py OUT TECHNOLOGY: tests/e2e/gce_firmware.c as a PCI option ROM (PCI Firmware Specification 3.0, 5.1; UEFI 14.4.2),
for QEMU's romfile=. TECHNOLOGY is a number of attest/gcp/instance.h."""
import os, struct, subprocess, sys, tempfile

out, technology = sys.argv[1], int(sys.argv[2])
source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gce_firmware.c")
with tempfile.TemporaryDirectory() as folder:
    unit, image = folder + "/unit.obj", folder + "/driver.efi"
    subprocess.run(["clang", "-target", "x86_64-unknown-windows", "-ffreestanding", "-fno-stack-protector", "-mno-red-zone",
                    "-Os", "-Wall", "-Werror", "-DTECHNOLOGY=%d" % technology, "-c", source, "-o", unit], check=True)
    subprocess.run(["lld-link", "-subsystem:efi_boot_service_driver", "-entry:efi_main", "-nodefaultlib", "-timestamp:0",
                    "-out:" + image, unit], check=True)
    driver = open(image, "rb").read()

PCIR, DRIVER = 28, 64
blocks = (DRIVER + len(driver) + 511) // 512
header = struct.pack("<HHIHHH8xHH", 0xaa55, blocks, 0x0ef1, 11, 0x8664, 0, DRIVER, PCIR)
# virtio-rng of QEMU; class: other; code type 3: EFI; the last image.
pcir = b"PCIR" + struct.pack("<HHHHB3sHHBBH", 0x1af4, 0x1044, 0, 24, 0, b"\x00\x00\xff", blocks, 0, 3, 0x80, 0)
rom = header.ljust(PCIR, b"\0") + pcir
open(out, "wb").write((rom.ljust(DRIVER, b"\0") + driver).ljust(blocks * 512, b"\0"))
