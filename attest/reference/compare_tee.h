// What compare_tee.cc and compare_tdx.cc share.
#pragma once

#include <algorithm>

#include "attest/reference/compare.h"

namespace cstl::reference {

// A passed claim for every step before `reached`, but for those that had nothing to look at.
template <typename Step>
void add_steps(Step reached, const char* (*name)(Step), const std::vector<Step>& idle, Comparison& out) {
  for (unsigned step = 0; step < static_cast<unsigned>(reached); ++step) {
    const Step one = static_cast<Step>(step);
    if (std::find(idle.begin(), idle.end(), one) == idle.end()) out.add(passed(name(one)), Code::ok);
  }
}

// A family's comparison added claims from `first` on; `code` is that of the first that failed.
void count_failures(size_t first, Code code, Comparison& out);
// SHA-256 over `parts`.
void set_identity(std::initializer_list<Bytes> parts, Comparison& out);

void compare_snp(const Machine& machine, Bytes report_data, Comparison& out);
void compare_tdx(const Machine& machine, Bytes report_data, Comparison& out);

}  // namespace cstl::reference
