// Puts DER (X.690) together for the made-up certificates of tests. No limits, no errors: the input is the test's own.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "crypto/base/bytes.h"

namespace cstl::test {

using Der = std::vector<uint8_t>;

Der der_element(uint8_t tag, std::initializer_list<Bytes> parts);
Der der_integer(uint64_t value);
Der der_oid(const std::string& dotted);                  // with tag and length
Der der_bits(Bytes bytes);                               // BIT STRING of whole bytes
Der der_time(int64_t seconds);                           // UTCTime until 2049, else GeneralizedTime
Der der_extension(const std::string& oid, bool critical, Bytes value);

}  // namespace cstl::test
