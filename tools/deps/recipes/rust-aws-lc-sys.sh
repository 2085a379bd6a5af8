# shellcheck shell=bash
# AWS-LC, only what verifies: ECDSA on P-256 and P-384, and powers modulo an RSA key (crypto/fast_verify.cc). Assembly by
# s2n-bignum and OpenSSL's authors, as upstream ships it. What would touch a secret (signing, random numbers, multiplication
# in constant time) is left out and traps. The crate is how Debian carries the source; nothing of Rust is used. The library
# is one object that shows only what fast_verify.cc calls, so that no other name of OpenSSL's family can clash.

build_rust_aws_lc_sys() {
  cd aws-lc || return
  SRC=$SRC/aws-lc
  local s2n=third_party/s2n-bignum/s2n-bignum-imported asm=generated-src/linux-x86_64/crypto/fipsmodule f
  local entries=(BN_bin2bn BN_bn2bin_padded BN_cmp BN_free BN_new BN_set_word BN_CTX_free BN_CTX_new BN_MONT_CTX_free
    BN_MONT_CTX_new_for_modulus BN_mod_exp_mont EC_group_p256 EC_group_p384 EC_KEY_free EC_KEY_new EC_KEY_set_group
    EC_KEY_set_public_key EC_POINT_free EC_POINT_new EC_POINT_oct2point ECDSA_SIG_free ECDSA_SIG_new ECDSA_SIG_set0
    ECDSA_do_verify)
  # Upstream compiles one file that includes all of its core: ours includes the bignums, the curves and ECDSA of it.
  sed -nE '/^#include "[a-z0-9_]+\//{/^#include "(bn|cpucap|ec|ecdsa)\//!d}; p' crypto/fipsmodule/bcm.c |
    sed 's|^#include "bn/add.c"|#include "../internal.h"\n#include "service_indicator/internal.h"\n&|' >crypto/fipsmodule/verify.c
  # No environment variable chooses instructions here, and no sscanf comes in to read it.
  printf '%s\n' '#include <stdlib.h>' \
    'static inline char *no_environment(const char *name) { (void)name; return NULL; }' \
    '#define getenv no_environment' >environment.h
  {
    printf '%s\n' '#include <stdlib.h>' '#include "crypto/fipsmodule/cpucap/internal.h"' \
      '__attribute__((constructor)) static void find_cpu(void) { OPENSSL_cpuid_setup(); }' \
      'void *ENGINE_get_EC(const void *engine) { (void)engine; return NULL; }' \
      'int RAND_bytes(uint8_t *out, size_t size) { (void)out, (void)size; abort(); }'
    for f in p256_montjscalarmul p256_montjscalarmul_alt p384_montjscalarmul p384_montjscalarmul_alt; do
      printf 'void %s(void) { abort(); }\n' "$f"
    done
  } >crypto/rest.c
  archive libparts.a -DNDEBUG -I. -Iinclude -I$s2n/include -Ithird_party/s2n-bignum -DBORINGSSL_IMPLEMENTATION \
    -DS2N_BN_HIDE_SYMBOLS -include environment.h -- \
    crypto/fipsmodule/verify.c crypto/fipsmodule/cpucap/cpucap.c crypto/rest.c crypto/mem.c crypto/err/err.c \
    crypto/thread_pthread.c crypto/refcount_c11.c crypto/ex_data.c crypto/stack/stack.c crypto/bytestring/ber.c \
    crypto/bytestring/cbb.c crypto/bytestring/cbs.c crypto/bn_extra/convert.c
  # Assembly without the header that C wants.
  archive libassembly.a -I. -Iinclude -I$s2n/include -DS2N_BN_HIDE_SYMBOLS -- \
    $asm/{p256-x86_64-asm,p256_beeu-x86_64-asm,x86_64-mont,x86_64-mont5,rsaz-avx2,rsaz-2k-avx512,rsaz-3k-avx512,rsaz-4k-avx512}.S \
    $s2n/x86_att/p256/bignum_montinv_p256.S \
    $s2n/x86_att/p384/bignum_{add,sub,neg,tomont,deamont,montmul,montsqr,montinv}_p384.S \
    $s2n/x86_att/p384/bignum_{tomont,deamont,montmul,montsqr}_p384_alt.S \
    $s2n/x86_att/p384/bignum_{nonzero,littleendian}_6.S $s2n/x86_att/p384/p384_montjdouble{,_alt}.S
  ld -r --gc-sections "${entries[@]/#/--undefined=}" -o all.o --whole-archive "$OUT/lib/libparts.a" --no-whole-archive \
    "$OUT/lib/libassembly.a"
  objcopy --strip-unneeded "${entries[@]/#/--keep-global-symbol=}" all.o awslc.o
  rm "$OUT/lib/libparts.a" "$OUT/lib/libassembly.a"
  ar rcsD "$OUT/lib/libawslc.a" awslc.o
  mkdir -p "$OUT/include/awslc"
  cp -R include/openssl "$OUT/include/awslc/"
}
