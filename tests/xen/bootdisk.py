"""A disk from which GRUB boots a guest, for hosts whose QEMU is slow with -kernel. Python standard library only."""
import io
import os
import struct
import tarfile

SECTOR, PARTITION = 512, 1 << 20


def grub_config(cmdline):
    words = " ".join("'" + w.replace("'", "") + "'" for w in cmdline.split())
    return f"set root=(hd0,msdos1)\nlinux /vmlinuz {words}\ninitrd /initrd\nboot\n"


def make_boot_disk(path, grub, kernel, initrd, cmdline):
    """grub: boot sector and core image, which read /grub.cfg of a tar archive in the first partition."""
    with open(path, "wb") as disk:
        with open(grub, "rb") as f:
            disk.write(f.read())
        disk.seek(PARTITION)
        with tarfile.open(fileobj=disk, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            text = grub_config(cmdline).encode()
            info = tarfile.TarInfo("grub.cfg")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
            for name, source in (("vmlinuz", kernel), ("initrd", initrd)):
                tar.add(source, name)
        end = disk.seek(0, os.SEEK_END)
        sectors = -(-(end - PARTITION) // SECTOR)
        disk.truncate(PARTITION + sectors * SECTOR)
        # One primary partition by its LBA; the fields for cylinders, heads and sectors say "beyond" (UEFI spec. 5.2.1).
        entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", PARTITION // SECTOR, sectors)
        disk.seek(446)
        disk.write(entry + bytes(3 * len(entry)) + b"\x55\xaa")
