// A distinguished name (RFC 5280, 4.1.2.4) as one printable line for people: "CN=…, O=…, C=…". Not RFC 4514: nothing
// may be compared with it. Total; control bytes and everything outside printable ASCII become dots.
#pragma once

#include <string>

#include "crypto/base/bytes.h"

namespace cstl {

// `name`: DER of a Name. The common name comes first, then organisation, unit and country; other attributes are left
// out. At most `max` bytes. Empty when the name is malformed or has none of them.
std::string name_text(Bytes name, size_t max);

}  // namespace cstl
