#include "attest/gcp/instance.h"

#include "attest/tpm/event_types.h"
#include "attest/tpm/secure_boot.h"
#include "crypto/der.h"

namespace cstl::gcp {

namespace {
constexpr Code kMalformed = Code::runtime_data_malformed;

Result<std::string_view> take_name(DerReader& r) {
  TRY_LET(Bytes text, r.take(der::kUtf8, "gce.name"));
  bool plain = !text.empty() && text.size() <= kMaxName;
  for (uint8_t c : text) plain = plain && c > 0x20 && c < 0x7f;
  if (!plain) return fail(kMalformed, "gce.name");
  return text.text();
}

Result<uint64_t> take_number(DerReader& r) {
  TRY_LET(Bytes digits, r.take_unsigned(8, "gce.number"));
  uint64_t out = 0;
  for (uint8_t digit : digits) out = out << 8 | digit;
  return out;
}

struct Row {
  Technology technology;
  const char* name;
};
constexpr Row kTechnologies[] = {{Technology::none, "none"},
                                 {Technology::sev, "sev"},
                                 {Technology::sev_es, "sev-es"},
                                 {Technology::tdx, "tdx"},
                                 {Technology::sev_snp, "sev-snp"}};
constexpr std::string_view kSignature("GCE NonHostInfo\0", 16);
constexpr size_t kEvent = 32;
}  // namespace

Result<Instance> Instance::decode(Bytes extension) {
  DerReader top(extension, kMalformed);
  TRY_LET(DerReader r, top.enter(der::kSequence, "gce.sequence"));
  TRY(top.finish("gce.trailing"));
  Instance out;
  TRY_LET(out.zone, take_name(r));
  TRY_LET(out.project_number, take_number(r));
  TRY_LET(out.project, take_name(r));
  TRY_LET(out.id, take_number(r));
  TRY_LET(out.name, take_name(r));
  if (r.empty()) return out;
  TRY_LET(DerReader tagged, r.enter(der::constructed_context(0), "gce.properties"));
  TRY(r.finish("gce.trailing"));
  TRY_LET(DerReader properties, tagged.enter(der::kSequence, "gce.properties"));
  TRY(tagged.finish("gce.trailing"));
  while (!properties.empty()) {
    uint8_t tag = 0;
    TRY_LET(Bytes value, properties.take_any("gce.property", &tag));
    if (tag != der::constructed_context(1)) continue;
    DerReader flag(value, kMalformed);
    TRY_LET(out.production, flag.take_boolean("gce.production"));
    TRY(flag.finish("gce.trailing"));
  }
  return out;
}

const char* technology_name(Technology technology) {
  for (const Row& row : kTechnologies) {
    if (row.technology == technology) return row.name;
  }
  return "unknown";
}

Result<Technology> technology_from_name(std::string_view name) {
  for (const Row& row : kTechnologies) {
    if (name == row.name) return row.technology;
  }
  return fail(Code::bad_value, "gce.technology");
}

Result<Technology> technology_of(const tpm::EventLog& log) {
  const tpm::Event* found = nullptr;
  bool separated = false;
  for (const tpm::Event& event : log.events) {
    if (event.pcr != 0 || !event.extends()) continue;
    // What precedes it is the firmware's word, nothing else; its digest tells, for types are the writer's.
    separated = tpm::is_separator(event.digest);
    if (separated) break;
    if (event.type != tpm::kEvNonHostInfo) continue;
    if (found != nullptr) return fail(Code::technology_unknown, "gce.event_twice");
    found = &event;
  }
  if (!separated) return fail(Code::technology_unknown, "gce.no_separator");
  if (found == nullptr || found->data.size() != kEvent || found->data.first(kSignature.size()).text() != kSignature) {
    return fail(Code::technology_unknown, "gce.event");
  }
  if (!tpm::is_measured(found->data, found->digest)) return fail(Code::technology_unknown, "gce.event_digest");
  for (uint8_t zero : found->data.skip(kSignature.size() + 1)) {
    if (zero != 0) return fail(Code::technology_unknown, "gce.event_rest");
  }
  const uint8_t number = found->data[kSignature.size()];
  for (const Row& row : kTechnologies) {
    if (static_cast<uint8_t>(row.technology) == number) return row.technology;
  }
  return fail(Code::technology_unknown, "gce.technology");
}

}  // namespace cstl::gcp
