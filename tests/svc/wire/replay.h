// What every message must withstand: each truncation and each trailing byte.
#pragma once

#include <doctest/doctest.h>

#include "crypto/base/secret.h"

namespace cstl {

// `code` gives what decoding a body returned. `valid` must decode. A cut may also end inside a length or a checked value.
template <typename Decode>
void refuse_cuts(Bytes valid, Decode code) {
  CHECK(code(valid) == Code::ok);
  for (size_t size = 0; size < valid.size(); ++size) {
    CAPTURE(size);
    std::vector<uint8_t> cut = valid.first(size).copy();  // exactly that large, so that reading on is seen
    CHECK(code(cut) == Code::truncated);
  }
  std::vector<uint8_t> more = valid.copy();
  more.push_back(0);
  CHECK(code(more) == Code::trailing);
}

template <size_t N>
Secret<N> repeated(uint8_t byte) {
  Secret<N> out;
  std::memset(out.fill().data(), byte, N);
  return out;
}

inline bool is_zero(Bytes data) {
  for (uint8_t byte : data) {
    if (byte != 0) return false;
  }
  return true;
}

}  // namespace cstl
