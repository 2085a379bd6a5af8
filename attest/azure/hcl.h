// The HCL report of an Azure confidential VM: what its paravisor (host compatibility layer, OpenHCL) leaves in NV index
// 0x01400001 of the virtual TPM that it runs inside of the TEE. All integers are little endian.
//
// | offset | bytes | field |
// |---|---|---|
// | 0 | 4 | "HCLA" |
// | 4 | 28 | version, size, request type, status, reserved: of no use here |
// | 32 | 1184 | SEV-SNP attestation report, or TDREPORT (1024) and padding |
// | 1216 | 4 | size of the request data, from here on |
// | 1220 | 4 | its version |
// | 1224 | 4 | report type: 2 SEV-SNP, 4 TDX |
// | 1228 | 4 | hash that REPORT_DATA holds: 1 SHA-256 |
// | 1232 | 4 | size of the runtime data |
// | 1236 | … | runtime data: JSON (runtime_data.h) |
// What follows is the rest of the NV index. Read by issuers only: evidence carries the report and the runtime data. Total,
// borrowing; checks form alone.
#pragma once

#include "crypto/base/bytes.h"

namespace cstl::azure {

constexpr size_t kHclReport = 1184;
constexpr size_t kTdReport = 1024;
constexpr size_t kMaxHcl = 16 * 1024;

enum class HclKind : uint32_t { snp = 2, tdx = 4 };

struct HclReport {
  HclKind kind = HclKind::snp;
  Bytes report;        // kHclReport or kTdReport bytes, by kind
  Bytes runtime_data;  // at least 1 byte
  // Errors: runtime_data_malformed.
  static Result<HclReport> decode(Bytes input);
};

}  // namespace cstl::azure
