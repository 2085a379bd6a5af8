// What Google Compute Engine says about an instance: an extension of the certificate of its virtual TPM's attestation key
// (OID 1.3.6.1.4.1.11129.2.1.21), and an event that its firmware measures into PCR 0. Total, borrowing.
//
//   GceInstance ::= SEQUENCE { zone UTF8String, projectNumber INTEGER, projectId UTF8String, instanceId INTEGER,
//                              instanceName UTF8String, [0] SEQUENCE { [0] securityVersion INTEGER OPTIONAL,
//                                                                      [1] isProduction BOOLEAN OPTIONAL, … } OPTIONAL }
//   event EV_NONHOST_INFO, 32 bytes: "GCE NonHostInfo\0", u8 technology, zeros
#pragma once

#include "attest/tpm/eventlog.h"
#include "crypto/base/bytes.h"

namespace cstl::gcp {

constexpr std::array<uint8_t, 10> kInstanceExtension{0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x01, 0x15};
constexpr size_t kMaxName = 64;

struct Instance {
  std::string_view zone, project, name;  // printable ASCII, 1..kMaxName bytes
  uint64_t project_number = 0, id = 0;
  bool production = false;
  // Of the extension's value. Errors: runtime_data_malformed.
  static Result<Instance> decode(Bytes extension);
};

// The memory encryption that the firmware found, by Google's numbers.
enum class Technology : uint8_t { none = 0, sev = 1, sev_es = 2, tdx = 3, sev_snp = 4 };
const char* technology_name(Technology technology);                  // "sev-es"
Result<Technology> technology_from_name(std::string_view name);      // bad_value

// Of a log that replays to the quoted PCR 0: the one such event before that register's first separator (told by its digest:
// a running system can extend the register once more), whose digest is of its data.
// Errors: technology_unknown (none, several, another form, no separator).
Result<Technology> technology_of(const tpm::EventLog& log);

}  // namespace cstl::gcp
