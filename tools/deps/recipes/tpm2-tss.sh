# shellcheck shell=bash
# MU, SYS, ESYS, RC and the TCTIs device and swtpm, without dlopen, logging or
# FAPI. Both TCTIs define Tss2_Tcti_Info; each gets a name of its own.

build_tpm2_tss() {
  local flags=(
    -std=c99 -D_GNU_SOURCE -DMBED -DMAXLOGLEVEL=0 -DDISABLE_VENDOR
    -DTCTI_DEVICE -DTCTI_SWTPM -DNO_DL
    -DMBEDTLS_CONFIG_FILE='<mbedtls/cstl_mbedtls_config.h>' -I"$(dep mbedtls)/include"
    -Iinclude -Iinclude/tss2 -Isrc -Isrc/tss2-mu -Isrc/tss2-sys -Isrc/tss2-esys -Isrc/tss2-tcti -Isrc/util
    -Isrc/util-io
  )
  archive libtss2-mu.a "${flags[@]}" -- src/tss2-mu/*.c src/util/log.c
  archive libtss2-sys.a "${flags[@]}" -- src/tss2-sys/*.c src/tss2-sys/api/*.c
  rm src/tss2-esys/esys_crypto_ossl.c
  archive libtss2-esys.a "${flags[@]}" -- src/tss2-esys/*.c src/tss2-esys/api/*.c
  archive libtss2-rc.a "${flags[@]}" -- src/tss2-rc/*.c
  archive libtss2-tcti-device.a "${flags[@]}" -DTss2_Tcti_Info=Tss2_Tcti_Device_Info -- \
    src/tss2-tcti/tcti-device.c src/tss2-tcti/tcti-common.c src/util-io/io.c
  archive libtss2-tcti-swtpm.a "${flags[@]}" -DTss2_Tcti_Info=Tss2_Tcti_Swtpm_Info -- \
    src/tss2-tcti/tcti-swtpm.c src/util/key-value-parse.c
  archive libtss2-tctildr.a "${flags[@]}" -- src/tss2-tcti/tctildr.c src/tss2-tcti/tctildr-nodl.c
  mkdir "$OUT/include/tss2"
  cp include/tss2/tss2_{common,esys,mu,rc,sys,tcti,tcti_device,tcti_swtpm,tctildr,tpm2_types}.h "$OUT/include/tss2/"
}
