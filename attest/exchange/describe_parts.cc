#include "attest/exchange/describe_parts.h"

#include "attest/snp/report.h"
#include "attest/tdx/pck.h"
#include "attest/tdx/quote.h"
#include "attest/tpm/boot_state.h"
#include "attest/tpm/structures.h"
#include "crypto/base/utc.h"
#include "crypto/certificate.h"
#include "crypto/public_key.h"

namespace cstl::exchange {

namespace {
constexpr size_t kMaxNameParts = 16;

// CN, O, … of a Name, as far as they are printable: "CN=…, O=…".
std::string name_text(Bytes name) {
  struct Kind {
    std::array<uint8_t, 3> oid;
    const char* text;
  };
  constexpr Kind kKinds[] = {{{0x55, 0x04, 0x03}, "CN"}, {{0x55, 0x04, 0x0a}, "O"},  {{0x55, 0x04, 0x0b}, "OU"},
                             {{0x55, 0x04, 0x06}, "C"},  {{0x55, 0x04, 0x07}, "L"},  {{0x55, 0x04, 0x08}, "ST"},
                             {{0x55, 0x04, 0x05}, "serialNumber"}};
  std::string out;
  DerReader whole(name, Code::bad_certificate);
  Result<DerReader> parts = whole.enter(der::kSequence, "name");
  for (size_t i = 0; parts.ok() && !parts->empty() && i < kMaxNameParts; ++i) {
    Result<DerReader> set = parts->enter(der::kSet, "name");
    if (!set.ok()) break;
    Result<DerReader> pair = set->enter(der::kSequence, "name");
    if (!pair.ok()) break;
    Result<Bytes> oid = pair->take(der::kOid, "name");
    Result<Bytes> value = pair->take_any("name");
    if (!oid.ok() || !value.ok()) break;
    for (const Kind& kind : kKinds) {
      if (equal(*oid, Bytes(kind.oid))) out += (out.empty() ? "" : ", ") + std::string(kind.text) + "=" + shown(value->text(), 128);
    }
  }
  return out.empty() ? "(no name)" : out;
}

const char* key_text(const PublicKey& key) {
  switch (key.kind) {
    case KeyKind::p256: return "ECDSA P-256";
    case KeyKind::p384: return "ECDSA P-384";
    case KeyKind::rsa: return "RSA";
    case KeyKind::other: break;
  }
  return "another kind";
}

std::string algorithm_name(uint16_t algorithm) {
  switch (algorithm) {
    case tpm::kAlgRsa: return "RSA";
    case tpm::kAlgEcc: return "ECC";
    case tpm::kAlgSha256: return "SHA-256";
    case tpm::kAlgSha384: return "SHA-384";
    case tpm::kAlgSha512: return "SHA-512";
    case tpm::kAlgSha1: return "SHA-1";
    case tpm::kAlgRsassa: return "RSASSA (PKCS#1 v1.5)";
    case tpm::kAlgRsapss: return "RSAPSS";
    case tpm::kAlgEcdsa: return "ECDSA";
    case tpm::kAlgNull: return "none";
    default: return hex_number(algorithm, 4);
  }
}

void put_tcb(const Facts& facts, const char* name, uint64_t raw, snp::Product product) {
  std::string words = product == snp::Product::unknown ? "" : " (" + snp::Tcb::from(raw, product).text() + ")";
  facts.add(name, hex_number(raw, 16) + words);
}

std::string version_text(const snp::FirmwareVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + " build " + std::to_string(version.build);
}
}  // namespace

std::string hex_number(uint64_t value, unsigned digits) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out = "0x";
  for (unsigned i = digits; i-- > 0;) out += kDigits[value >> (4 * i) & 15];
  return out;
}

std::string shown(std::string_view text, size_t max) {
  std::string out;
  for (char c : text.substr(0, max)) out += c >= 0x20 && c <= 0x7e ? c : '?';
  return out;
}

Status describe_snp(Bytes input, Facts facts) {
  TRY_LET(snp::Report report, snp::Report::decode(input));
  snp::Product product = report.product();
  facts.number("version", report.version);
  facts.add("product", snp::product_name(product));
  facts.number("guest_svn", report.guest_svn);
  facts.add("policy", hex_number(report.policy.raw, 16) + " (" + report.policy.text() + ")");
  facts.number("vmpl", report.vmpl);
  facts.hex("measurement", report.measurement);
  facts.hex("report_data", report.report_data);
  facts.hex("host_data", report.host_data);
  facts.hex("id_key_digest", report.id_key_digest);
  facts.flag("author_key", report.author_key);
  facts.hex("author_key_digest", report.author_key_digest);
  facts.hex("family_id", report.family_id);
  facts.hex("image_id", report.image_id);
  facts.hex("report_id", report.report_id);
  facts.hex("report_id_ma", report.report_id_ma);
  facts.add("signing_key", snp::signer_name(report.signing_key));
  facts.flag("chip_id_masked", report.chip_masked());
  facts.hex("chip_id", report.chip_id);
  facts.add("platform", hex_number(report.platform.raw, 16) + " (" + report.platform.text() + ")");
  put_tcb(facts, "tcb.current", report.current_tcb, product);
  put_tcb(facts, "tcb.reported", report.reported_tcb, product);
  put_tcb(facts, "tcb.committed", report.committed_tcb, product);
  put_tcb(facts, "tcb.launch", report.launch_tcb, product);
  facts.add("firmware.current", version_text(report.current));
  facts.add("firmware.committed", version_text(report.committed));
  if (report.names_processor()) {
    facts.add("cpuid", "family " + std::to_string(report.cpuid_family) + ", model " + std::to_string(report.cpuid_model) +
                           ", stepping " + std::to_string(report.cpuid_stepping));
  }
  facts.hex("signature.r", report.r);
  facts.hex("signature.s", report.s);
  return success();
}

Status describe_tdx(Bytes input, Facts facts) {
  TRY_LET(tdx::Quote quote, tdx::Quote::decode(input));
  const tdx::TdReport& report = quote.report;
  facts.number("version", quote.version);
  facts.add("report", report.is_15 ? "TDX 1.5" : "TDX 1.0");
  facts.hex("mrtd", report.mr_td);
  for (size_t i = 0; i < report.rtmr.size(); ++i) facts.hex("rtmr" + std::to_string(i), report.rtmr[i]);
  facts.hex("report_data", report.report_data);
  std::string attributes = hex_number(report.td_attributes, 16);
  if ((report.td_attributes & tdx::kTdDebug) != 0) attributes += " (debug)";
  if ((report.td_attributes & tdx::kTdMigratable) != 0) attributes += " (migratable)";
  if ((report.td_attributes & tdx::kTdSeptVeDisable) != 0) attributes += " (SEPT_VE_DISABLE)";
  facts.add("attributes", attributes);
  facts.add("xfam", hex_number(report.xfam, 16));
  facts.hex("mr_seam", report.mr_seam);
  facts.hex("mr_signer_seam", report.mr_signer_seam);
  facts.hex("seam_attributes", report.seam_attributes);
  facts.hex("tee_tcb_svn", report.tee_tcb_svn);
  facts.hex("mr_config_id", report.mr_config_id);
  facts.hex("mr_owner", report.mr_owner);
  facts.hex("mr_owner_config", report.mr_owner_config);
  if (report.is_15) {
    facts.hex("tee_tcb_svn2", report.tee_tcb_svn2);
    facts.hex("mr_service_td", report.mr_service_td);
  }
  facts.hex("attestation_key", quote.attestation_key);
  facts.hex("signature", quote.signature);
  Facts qe = facts.under("qe");
  qe.hex("vendor", quote.qe_vendor_id);
  qe.hex("mr_enclave", quote.qe_report.mr_enclave);
  qe.hex("mr_signer", quote.qe_report.mr_signer);
  qe.number("isv_prod_id", quote.qe_report.isv_prod_id);
  qe.number("isv_svn", quote.qe_report.isv_svn);
  qe.hex("cpu_svn", quote.qe_report.cpu_svn);
  qe.hex("auth_data", quote.qe_auth_data);
  Result<tdx::PckChain> chain = tdx::PckChain::decode(quote.pck_chain);
  if (!chain.ok()) {
    facts.add("pck", "cannot be read");
    return success();
  }
  describe_certificate(chain->leaf, facts.under("pck.leaf"));
  describe_certificate(chain->intermediate, facts.under("pck.intermediate"));
  describe_certificate(chain->root, facts.under("pck.root"));
  Result<CertificateView> leaf = CertificateView::parse(chain->leaf);
  if (!leaf.ok()) return success();
  Result<Bytes> extension = leaf->extension(tdx::kSgxExtension);
  Result<tdx::PckExtensions> pck = extension.ok() ? tdx::PckExtensions::decode(*extension)
                                                  : Result<tdx::PckExtensions>(extension.error());
  if (!pck.ok()) return success();
  facts.hex("pck.fmspc", pck->fmspc);
  facts.hex("pck.pce_id", pck->pce_id);
  facts.number("pck.pce_svn", pck->pce_svn);
  facts.hex("pck.tcb", pck->tcb);
  return success();
}

Status describe_attest(Bytes input, Facts facts) {
  TRY_LET(tpm::Attest attest, tpm::Attest::decode(input));
  facts.add("magic", hex_number(attest.magic, 8) + (attest.magic == tpm::kGenerated ? " (TPM_GENERATED)" : ""));
  facts.add("type", hex_number(attest.type, 4) + (attest.type == tpm::kAttestQuote ? " (quote)" : ""));
  facts.hex("qualified_signer", attest.qualified_signer);
  facts.hex("nonce", attest.extra_data);
  facts.number("clock_ms", attest.clock);
  facts.number("reset_count", attest.reset_count);
  facts.number("restart_count", attest.restart_count);
  facts.flag("clock_safe", attest.safe != 0);
  facts.add("firmware", hex_number(attest.firmware_version, 16));
  if (attest.type != tpm::kAttestQuote) return success();
  facts.add("pcr.bank", algorithm_name(attest.pcr_algorithm));
  std::string selected;
  for (unsigned i = 0; i < 32; ++i) {
    if ((attest.pcr_mask >> i & 1) != 0) selected += (selected.empty() ? "" : " ") + std::to_string(i);
  }
  facts.add("pcr.selected", selected);
  facts.hex("pcr.digest", attest.pcr_digest);
  return success();
}

Status describe_public(Bytes area, Facts facts) {
  TRY_LET(tpm::Public key, tpm::Public::decode(area));
  facts.add("type", algorithm_name(key.type));
  facts.add("scheme", algorithm_name(key.scheme));
  struct Bit {
    uint32_t bit;
    const char* name;
  };
  constexpr Bit kBits[] = {{tpm::kFixedTpm, "fixedTPM"}, {tpm::kFixedParent, "fixedParent"},
                           {tpm::kSensitiveDataOrigin, "sensitiveDataOrigin"}, {tpm::kUserWithAuth, "userWithAuth"},
                           {tpm::kNoDa, "noDA"}, {tpm::kRestricted, "restricted"}, {tpm::kDecrypt, "decrypt"},
                           {tpm::kSign, "sign"}};
  std::string attributes = hex_number(key.attributes, 8);
  for (const Bit& bit : kBits) {
    if ((key.attributes & bit.bit) != 0) attributes += std::string(" ") + bit.name;
  }
  facts.add("attributes", attributes);
  if (key.type == tpm::kAlgRsa) {
    facts.number("bits", key.rsa_bits);
    facts.hex("modulus", key.rsa_modulus);
  } else {
    facts.hex("x", key.ecc_x);
    facts.hex("y", key.ecc_y);
  }
  if (auto name = tpm::name_of(area); name.ok()) facts.hex("name", *name);
  return success();
}

void describe_certificate(Bytes input, Facts facts) {
  Result<CertificateView> view = CertificateView::parse(input);
  if (!view.ok()) {
    facts.add("certificate", "cannot be read");
    return;
  }
  facts.add("subject", name_text(view->subject));
  facts.add("issuer", name_text(view->issuer));
  facts.hex("serial", view->serial);
  facts.add("not_before", utc_text(view->not_before));
  facts.add("not_after", utc_text(view->not_after));
  Result<PublicKey> key = parse_public_key(view->spki);
  if (key.ok()) {
    facts.add("key", key_text(*key) + (key->kind == KeyKind::rsa ? " " + std::to_string(key->modulus.size() * 8) : ""));
  }
  if (auto pin = sha256({view->spki}); pin.ok()) facts.hex("spki_sha256", *pin);
}

void describe_certificate_list(Bytes list, Facts facts) {
  Reader r(list);
  for (size_t i = 0; r.remaining() > 0; ++i) {
    Result<Bytes> der = r.bytes16(0xffff);
    if (!der.ok()) {
      facts.add("list", "cannot be read");
      return;
    }
    describe_certificate(*der, facts.under(std::to_string(i)));
  }
}

Status describe_log(Bytes input, bool cc, bool old, Facts facts, std::vector<DescribedEvent>& events) {
  TRY_LET(tpm::EventLog log, tpm::EventLog::decode(input, cc ? tpm::kCcLog : old ? tpm::kOldLog : tpm::kPcrLog));
  facts.number("events", log.events.size());
  facts.add("bank", algorithm_name(log.format.algorithm));
  if (old) facts.add("note", "of the old format: SHA-1 only, so it proves nothing here");
  for (size_t i = 0; i < log.events.size(); ++i) {
    const tpm::Event& event = log.events[i];
    DescribedEvent out;
    out.number = i + 1;
    if (!event.extends()) out.index = "-";
    else if (cc) out.index = event.pcr == 0 ? "MRTD" : "RTMR" + std::to_string(event.pcr - 1);
    else out.index = "PCR " + std::to_string(event.pcr);
    out.type = tpm::event_type_name(event.type);
    out.component = tpm::event_component(event, log.format.registers);
    out.digest = to_hex(event.digest);
    out.text = tpm::event_text(event);
    events.push_back(std::move(out));
  }
  uint32_t present = 0;
  if (cc) {
    auto values = log.replay_rtmrs(present);
    for (size_t i = 0; i < values.size(); ++i) {
      if ((present >> i & 1) != 0) facts.hex("replayed.rtmr" + std::to_string(i), values[i]);
    }
  } else if (!old) {
    auto values = log.replay(present);
    for (size_t i = 0; i < values.size(); ++i) {
      if ((present >> i & 1) != 0) facts.hex("replayed.pcr" + std::to_string(i), values[i]);
    }
  }
  tpm::BootState boot = tpm::BootState::of(log);
  facts.add("boot.secure_boot", tpm::secure_boot_name(boot.secure_boot));
  facts.add("boot.firmware", shown(boot.firmware));
  facts.add("boot.loader", shown(boot.boot_loader));
  facts.add("boot.command_line", shown(boot.command_line, 2048));
  return success();
}

}  // namespace cstl::exchange
