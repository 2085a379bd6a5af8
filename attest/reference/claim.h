// What verdicts are made of: claims that decide, facts that inform, and how long they hold. Plain values.
#pragma once

#include <cstdint>
#include <string>

namespace cstl {

enum class ClaimResult : uint8_t { passed, warned, failed };

struct Claim {
  std::string name;       // "pcr9", "ak.attributes", "quote.signature", "ek.chain", "cluster" …
  ClaimResult result = ClaimResult::failed;
  std::string expected;   // hex or words; empty when nothing is expected
  std::string seen;
  std::string why;        // e.g. "event 17 (EV_IPL, initrd) differs: …"; empty when passed
  std::string component;  // the component of the image or platform: "initrd", "kernel command line", …
};

// Something that the evidence says about the platform, for people and other systems; decides nothing.
struct Fact {
  std::string name;       // dotted, lower case: "snp.chip_id", "snp.tcb.reported", "tdx.tcb_status", "tpm.firmware"
  std::string value;      // hex or words; printable ASCII, at most 256 bytes
};

// When the verdict's parts are valid, all at once: the reference set, certificates, revocation lists, collateral.
struct Validity {
  int64_t not_before = 0;           // Unix seconds
  int64_t not_after = INT64_MAX;    // exclusive
  void narrow(int64_t from, int64_t until) {
    if (from > not_before) not_before = from;
    if (until < not_after) not_after = until;
  }
};


}  // namespace cstl
