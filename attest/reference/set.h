// One set of reference values, read and written; for attest/reference/values.cc.
#pragma once

#include "attest/reference/place.h"

namespace cstl::reference {

// Errors: those of ReferenceValues::parse().
Result<ReferenceSet> read_set(const Json& value, const Place& place);
// What read_set() reads back to the same set.
Json write_set(const ReferenceSet& set);

}  // namespace cstl::reference
