// Secrets as fields of messages: read straight into their type, so that no plain copy stays on the stack.
#pragma once

#include "crypto/base/secret.h"

namespace cstl {

// Errors: truncated.
template <size_t N>
Result<Secret<N>> read_secret(Reader& reader) {
  TRY_LET(Bytes raw, reader.bytes(N));
  return Secret<N>::copy_of(raw);
}

// `size` bytes written by `put` into a buffer of exactly that size. Errors: too_long.
template <typename Put>
Result<SecretBuffer> write_secrets(size_t size, Put put) {
  SecretBuffer out(size);
  Writer writer(out.space());
  put(writer);
  TRY_LET(Bytes written, writer.finish());
  if (written.size() != size) trap("wire.size");
  return out;
}

}  // namespace cstl
