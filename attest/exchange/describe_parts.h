// Parts of evidence in words, for attest/exchange/describe*.cc alone.
#pragma once

#include "attest/exchange/describe.h"

namespace cstl::exchange {

// Collects facts under a prefix ("tpm.quote."); empty values are left out.
class Facts {
 public:
  Facts(std::vector<Fact>& out, std::string prefix) : out_(out), prefix_(std::move(prefix)) {}
  Facts under(const std::string& name) const { return Facts(out_, prefix_ + name + "."); }
  void add(const std::string& name, std::string value) const {
    if (!value.empty()) out_.push_back({prefix_ + name, std::move(value)});
  }
  void hex(const std::string& name, Bytes value) const { add(name, to_hex(value)); }
  void number(const std::string& name, uint64_t value) const { add(name, std::to_string(value)); }
  void flag(const std::string& name, bool value) const { add(name, value ? "yes" : "no"); }

 private:
  std::vector<Fact>& out_;
  std::string prefix_;
};

std::string hex_number(uint64_t value, unsigned digits);
// Printable ASCII of a foreign text, at most `max` bytes.
std::string shown(std::string_view text, size_t max = 256);

Status describe_snp(Bytes report, Facts facts);
Status describe_tdx(Bytes quote, Facts facts);
Status describe_attest(Bytes attest, Facts facts);
Status describe_public(Bytes area, Facts facts);
// DER; what cannot be read is said, not refused.
void describe_certificate(Bytes der, Facts facts);
// "each u16 length and DER".
void describe_certificate_list(Bytes list, Facts facts);
Status describe_log(Bytes log, bool cc, bool old, Facts facts, std::vector<DescribedEvent>& events);

}  // namespace cstl::exchange
