# shellcheck shell=bash
# libdevmapper only. No udev: it makes its device nodes itself.

build_lvm2() {
  ./configure --enable-static_link --with-optimisation=-Os --disable-nls --disable-readline --disable-selinux \
    --disable-udev_sync --disable-udev_rules --without-udev --without-systemd --without-libnvme \
    --disable-blkid_wiping --without-blkid --disable-dmeventd --disable-app-machineid --disable-systemd-journal \
    --disable-sd-notify
  make -C include
  make -C libdm -j"$JOBS" V=1 CFLAGS="${FLAGS[*]}" ioctl/libdevmapper.a
  repack libdm/ioctl/libdevmapper.a
  cp libdm/libdevmapper.h "$OUT/include/"
}
