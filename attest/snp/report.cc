#include "attest/snp/report.h"

#include <algorithm>

namespace cstl::snp {

namespace {
constexpr uint32_t kEcdsaP384Sha384 = 1;
constexpr unsigned kPolicyReservedOne = 17;
constexpr unsigned kPolicyBits = 26;
constexpr uint32_t kSignerBits = 0x1f;
constexpr size_t kComponent = 72;  // bytes of r and of s

bool all_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

Status reserved(Reader& reader, size_t size, bool must_be_zero) {
  TRY_LET(Bytes bytes, reader.bytes(size));
  if (must_be_zero && !all_zero(bytes)) return fail(Code::snp_report_malformed, "report.reserved");
  return success();
}

// Little endian of 72 bytes to big endian of 48.
Result<std::array<uint8_t, 48>> component(Reader& reader) {
  TRY_LET(Bytes bytes, reader.bytes(kComponent));
  std::array<uint8_t, 48> out;
  if (!all_zero(bytes.skip(out.size()))) return fail(Code::snp_report_malformed, "report.signature_size");
  std::reverse_copy(bytes.begin(), bytes.begin() + out.size(), out.begin());
  return out;
}

Result<FirmwareVersion> firmware(Reader& reader, bool must_be_zero) {
  FirmwareVersion version;
  TRY_LET(version.build, reader.u8());
  TRY_LET(version.minor, reader.u8());
  TRY_LET(version.major, reader.u8());
  TRY(reserved(reader, 1, must_be_zero));
  return version;
}

uint8_t byte_of(uint64_t raw, unsigned n) { return static_cast<uint8_t>(raw >> 8 * n); }

struct Word {
  unsigned bit;
  const char* text;
};

template <size_t N>
std::string words(uint64_t raw, const Word (&list)[N], std::string text) {
  for (const Word& word : list) {
    if ((raw >> word.bit & 1) == 0) continue;
    if (!text.empty()) text += ", ";
    text += word.text;
  }
  return text.empty() ? "none" : text;
}
}  // namespace

const char* product_name(Product product) {
  switch (product) {
    case Product::milan: return "Milan";
    case Product::genoa: return "Genoa";
    case Product::turin: return "Turin";
    case Product::unknown: break;
  }
  return "unknown";
}

Product product_from(std::string_view name) {
  std::string_view line = name.substr(0, name.find('-'));
  if (line == "Milan") return Product::milan;
  if (line == "Genoa" || line == "Bergamo" || line == "Siena") return Product::genoa;
  if (line == "Turin") return Product::turin;
  return Product::unknown;
}

Product product_of_cpuid(uint8_t family, uint8_t model) {
  if (family == 0x19 && model <= 0x0f) return Product::milan;
  if (family == 0x19 && ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf))) return Product::genoa;
  if (family == 0x1a && model <= 0x1f) return Product::turin;
  return Product::unknown;
}

const char* signer_name(Signer key) {
  switch (key) {
    case Signer::vcek: return "VCEK";
    case Signer::vlek: return "VLEK";
    case Signer::none: break;
  }
  return "none";
}

Tcb Tcb::from(uint64_t raw, Product product) {
  Tcb tcb;
  unsigned at = 0;
  if (product == Product::turin) tcb.fmc = byte_of(raw, at++);
  tcb.bootloader = byte_of(raw, at++);
  tcb.tee = byte_of(raw, at);
  tcb.snp = byte_of(raw, product == Product::turin ? 3 : 6);
  tcb.microcode = byte_of(raw, 7);
  return tcb;
}

uint64_t Tcb::raw(Product product) const {
  uint64_t out = uint64_t{microcode} << 56;
  if (product == Product::turin) {
    return out | uint64_t{fmc} | uint64_t{bootloader} << 8 | uint64_t{tee} << 16 | uint64_t{snp} << 24;
  }
  return out | uint64_t{bootloader} | uint64_t{tee} << 8 | uint64_t{snp} << 48;
}

bool Tcb::at_least(const Tcb& floor) const {
  return fmc >= floor.fmc && bootloader >= floor.bootloader && tee >= floor.tee && snp >= floor.snp &&
         microcode >= floor.microcode;
}

std::string Tcb::text() const {
  std::string out = fmc != 0 ? "fmc " + std::to_string(fmc) + ", " : "";
  return out + "bootloader " + std::to_string(bootloader) + ", tee " + std::to_string(tee) + ", snp " +
         std::to_string(snp) + ", microcode " + std::to_string(microcode);
}

std::string GuestPolicy::text() const {
  static constexpr Word kWords[] = {{16, "SMT"}, {18, "migration agent"}, {19, "debug"}, {20, "single socket"},
                                    {21, "CXL"}, {22, "AES-256-XTS"}, {23, "RAPL off"}, {24, "ciphertext hiding"},
                                    {25, "no page swap"}};
  return words(raw, kWords, "ABI " + std::to_string(abi_major()) + "." + std::to_string(abi_minor()));
}

std::string PlatformInfo::text() const {
  static constexpr Word kWords[] = {{0, "SMT"}, {1, "TSME"}, {2, "ECC"}, {3, "RAPL off"}, {4, "ciphertext hiding"},
                                    {5, "alias check"}, {7, "TIO"}};
  return words(raw, kWords, "");
}

bool Report::chip_masked() const { return all_zero(chip_id); }

Product Report::product() const {
  return names_processor() ? product_of_cpuid(cpuid_family, cpuid_model) : Product::unknown;
}

Result<Report> Report::decode(Bytes input) {
  if (input.size() < kReportSize) return fail(Code::truncated, "report.size");
  if (input.size() > kReportSize) return fail(Code::trailing, "report.size");
  Reader reader(input);
  Report report;
  TRY_LET(report.version, reader.u32le());
  if (report.version < 2) return fail(Code::snp_report_version, "report.version");
  const bool strict = report.version <= kNewestVersion;
  TRY_LET(report.guest_svn, reader.u32le());
  TRY_LET(report.policy.raw, reader.u64le());
  if (!report.policy.bit(kPolicyReservedOne) || (strict && report.policy.raw >> kPolicyBits != 0))
    return fail(Code::snp_report_malformed, "report.policy");
  TRY_LET(report.family_id, reader.fixed<16>());
  TRY_LET(report.image_id, reader.fixed<16>());
  TRY_LET(report.vmpl, reader.u32le());
  TRY_LET(uint32_t algorithm, reader.u32le());
  if (algorithm != kEcdsaP384Sha384) return fail(Code::snp_report_unsigned, "report.algorithm");
  TRY_LET(report.current_tcb, reader.u64le());
  TRY_LET(report.platform.raw, reader.u64le());
  TRY_LET(uint32_t signer, reader.u32le());
  if (strict && (signer & ~kSignerBits) != 0) return fail(Code::snp_report_malformed, "report.signer");
  report.author_key = (signer & 1) != 0;
  report.chip_key_masked = (signer & 2) != 0;
  report.signing_key = static_cast<Signer>(signer >> 2 & 7);
  switch (report.signing_key) {
    case Signer::vcek:
    case Signer::vlek: break;
    case Signer::none: return fail(Code::snp_report_unsigned, "report.signing_key");
    default: return fail(Code::snp_report_malformed, "report.signing_key");
  }
  TRY(reserved(reader, 4, strict));
  TRY_LET(report.report_data, reader.fixed<64>());
  TRY_LET(report.measurement, reader.fixed<48>());
  TRY_LET(report.host_data, reader.fixed<32>());
  TRY_LET(report.id_key_digest, reader.fixed<48>());
  TRY_LET(report.author_key_digest, reader.fixed<48>());
  TRY_LET(report.report_id, reader.fixed<32>());
  TRY_LET(report.report_id_ma, reader.fixed<32>());
  TRY_LET(report.reported_tcb, reader.u64le());
  if (report.names_processor()) {
    TRY_LET(report.cpuid_family, reader.u8());
    TRY_LET(report.cpuid_model, reader.u8());
    TRY_LET(report.cpuid_stepping, reader.u8());
    TRY(reserved(reader, 21, strict));
  } else {
    TRY(reserved(reader, 24, strict));
  }
  TRY_LET(report.chip_id, reader.fixed<64>());
  TRY_LET(report.committed_tcb, reader.u64le());
  TRY_LET(report.current, firmware(reader, strict));
  TRY_LET(report.committed, firmware(reader, strict));
  TRY_LET(report.launch_tcb, reader.u64le());
  if (report.version >= 5) {
    TRY_LET(report.launch_mitigations, reader.u64le());
    TRY_LET(report.current_mitigations, reader.u64le());
  } else {
    TRY(reserved(reader, 16, strict));
  }
  TRY(reserved(reader, kReportSigned - 0x208, strict));
  // What follows is not signed, so nothing may hide in it, whatever the version.
  TRY_LET(report.r, component(reader));
  TRY_LET(report.s, component(reader));
  TRY(reserved(reader, kReportSize - kReportSigned - 2 * kComponent, true));
  TRY(reader.finish());
  return report;
}

}  // namespace cstl::snp
