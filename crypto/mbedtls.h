// Owner types for mbedTLS contexts and the mapping of its return values. Included by .cc files of crypto/ only, so that
// no other part of the tree sees mbedTLS.
#pragma once

#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crt.h>

#include "crypto/hash.h"

namespace cstl {

// An in-place context: pinned, since mbedTLS contexts point into each other. Freed (and wiped) on destruction.
template <typename T, void (*Init)(T*), void (*Free)(T*)>
class Pinned {
 public:
  Pinned() { Init(&value_); }
  ~Pinned() { Free(&value_); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  T* get() { return &value_; }
  const T* get() const { return &value_; }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }

 private:
  T value_;
};

using Mpi = Pinned<mbedtls_mpi, mbedtls_mpi_init, mbedtls_mpi_free>;
using EcpGroup = Pinned<mbedtls_ecp_group, mbedtls_ecp_group_init, mbedtls_ecp_group_free>;
using EcpPoint = Pinned<mbedtls_ecp_point, mbedtls_ecp_point_init, mbedtls_ecp_point_free>;
using Rsa = Pinned<mbedtls_rsa_context, mbedtls_rsa_init, mbedtls_rsa_free>;
using Pk = Pinned<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;
using Certificate = Pinned<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;

// Success for zero, otherwise `code` with mbedTLS's number kept.
inline Status mbed_ok(int result, Code code, const char* site) {
  if (result != 0) return fail(code, site, Origin::mbedtls, result);
  return success();
}

}  // namespace cstl
