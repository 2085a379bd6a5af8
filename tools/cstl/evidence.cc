#include "tools/cstl/evidence.h"

#include "attest/exchange/describe.h"
#include "attest/reference/appraise_foreign.h"
#include "attest/snp/collateral.h"
#include "attest/tdx/collateral.h"
#include "attest/tdx/verify.h"
#include "attest/tpm/structures.h"
#include "crypto/base/fd.h"
#include "crypto/base/utc.h"
#include "crypto/x509.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

namespace {
constexpr size_t kMaxNonce = 64;

Result<std::vector<uint8_t>> load(const std::string& path, size_t max, std::string* problem) {
  *problem = path;
  auto data = read_file(path.c_str(), max);
  if (!data.ok()) return fail(Code::workspace, "evidence.read", data.error().origin, data.error().foreign);
  return data;
}

// Files of certificates, in the order in which they were given, as evidence carries them.
Result<std::vector<uint8_t>> certificate_list(const std::vector<std::string>& paths, std::string* problem) {
  std::vector<uint8_t> out;
  for (const std::string& path : paths) {
    TRY_LET(auto file, load(path, kMaxCertificateChain, problem));
    TRY_LET(auto certificates, certificates_from_file(file));
    for (const std::vector<uint8_t>& der : certificates) {
      if (der.size() > kMaxCertificate) return fail(Code::too_long, "evidence.certificate");
      out.push_back(static_cast<uint8_t>(der.size() >> 8));
      out.push_back(static_cast<uint8_t>(der.size()));
      out.insert(out.end(), der.begin(), der.end());
    }
  }
  return out;
}

// What the pieces of one appraisal borrow from.
struct Pieces {
  std::vector<uint8_t> file, certificates, collateral, signature, ak, event_log, ccel, nonce;
  std::array<uint8_t, kPcrValues> pcrs{};
};

Claim warning(const char* name, std::string why) {
  Claim claim;
  claim.name = name;
  claim.result = ClaimResult::warned;
  claim.why = std::move(why);
  return claim;
}

Result<Verdict> appraise_saved(const EvidenceFile& file, const AppraisalPolicy& policy) {
  TRY_LET(SavedEvidence saved, SavedEvidence::decode(file.content));
  Verdict verdict = appraise(saved.evidence, saved.binding, policy);
  verdict.claims.push_back(warning("evidence.binding", "saved at " + utc_text(saved.saved_at) +
                                                           ": it answered a session of that time, not one of now"));
  without_activation(verdict);
  return verdict;
}

Status snp_pieces(const Arguments& arguments, const EvidenceFile& file, Pieces* pieces, Evidence* out,
                  std::string* problem) {
  out->variant = Variant::sev_snp;
  out->tee_report = file.content;
  TRY_LET(pieces->certificates, certificate_list(arguments.all("certificates"), problem));
  TRY_LET(snp::Report report, snp::Report::decode(file.content));
  snp::Collateral stapled;
  snp::CollateralFiles folder;
  if (arguments.has("collateral")) {
    *problem = arguments.get("collateral");
    snp::Product product = arguments.has("product") ? snp::product_from(arguments.get("product")) : report.product();
    TRY_LET(folder, snp::read_collateral(arguments.get("collateral"), report, product));
    (report.signing_key == snp::Signer::vlek ? stapled.vlek_crl : stapled.vcek_crl) = folder.crl;
    if (pieces->certificates.empty()) {
      std::vector<std::vector<uint8_t>> all = folder.chain;
      if (!folder.leaf.empty()) all.insert(all.begin(), folder.leaf);
      for (const std::vector<uint8_t>& der : all) {
        pieces->certificates.push_back(static_cast<uint8_t>(der.size() >> 8));
        pieces->certificates.push_back(static_cast<uint8_t>(der.size()));
        pieces->certificates.insert(pieces->certificates.end(), der.begin(), der.end());
      }
    }
    pieces->collateral.resize(snp::kMaxCollateral);
    TRY_LET(Bytes encoded, stapled.encode(pieces->collateral));
    pieces->collateral.resize(encoded.size());
    out->tee_collateral = pieces->collateral;
  }
  if (pieces->certificates.empty() && !file.table.empty()) {
    TRY_LET(snp::CertificateTable table, snp::CertificateTable::decode(file.table));
    pieces->certificates.resize(kMaxCertificateChain);
    TRY_LET(Bytes encoded, table.evidence_items(report.signing_key, pieces->certificates));
    pieces->certificates.resize(encoded.size());
  }
  out->tee_certificates = pieces->certificates;
  return success();
}

Status tdx_pieces(const Arguments& arguments, const EvidenceFile& file, Pieces* pieces, Evidence* out,
                  std::string* problem) {
  out->variant = Variant::tdx;
  out->tee_report = file.content;
  if (arguments.has("ccel")) {
    TRY_LET(pieces->ccel, load(arguments.get("ccel"), kMaxEvidenceFile, problem));
    out->ccel = pieces->ccel;
  }
  if (!arguments.has("collateral")) return success();
  *problem = arguments.get("collateral");
  TRY_LET(tdx::Quote quote, tdx::Quote::decode(file.content));
  TRY_LET(tdx::PckChain chain, tdx::PckChain::decode(quote.pck_chain));
  TRY_LET(tdx::PckExtensions pck, tdx::pck_extensions_of(chain));
  TRY_LET(std::string_view ca, tdx::pck_ca_of(chain));
  TRY_LET(tdx::CollateralFiles folder, tdx::read_collateral(arguments.get("collateral"), pck.fmspc, ca));
  pieces->collateral.resize(tdx::kMaxCollateral);
  TRY_LET(Bytes encoded, folder.view().encode(pieces->collateral));
  pieces->collateral.resize(encoded.size());
  out->tee_collateral = pieces->collateral;
  return success();
}

Status tpm_pieces(const Arguments& arguments, const EvidenceFile& file, Pieces* pieces, Evidence* out,
                  std::string* problem) {
  out->variant = Variant::tpm;
  out->quote = file.content;
  for (const char* needed : {"signature", "ak", "pcrs"}) {
    *problem = std::string("a TPM quote needs --signature (tpm2_quote -s), --ak (tpm2_createak -u) and --pcrs (tpm2_quote -o)");
    if (!arguments.has(needed)) return fail(Code::usage, "evidence.tpm");
  }
  TRY_LET(pieces->signature, load(arguments.get("signature"), kMaxTpmSignature, problem));
  out->signature = pieces->signature;
  TRY_LET(pieces->ak, load(arguments.get("ak"), kMaxTpmPublic, problem));
  TRY_LET(out->ak_public, read_public_file(pieces->ak));
  TRY_LET(auto pcrs, load(arguments.get("pcrs"), kMaxEvidenceFile, problem));
  TRY(read_pcr_file(pcrs, &pieces->pcrs));
  out->pcr_values = pieces->pcrs;
  if (arguments.has("event-log")) {
    TRY_LET(pieces->event_log, load(arguments.get("event-log"), kMaxEvidenceFile, problem));
    out->event_log = pieces->event_log;
  }
  if (arguments.has("ek-certificate")) {
    TRY_LET(pieces->certificates, certificate_list(arguments.all("ek-certificate"), problem));
    Reader r(pieces->certificates);
    TRY_LET(out->ek_certificate, r.bytes16(kMaxCertificate));
    out->ek_chain = r.rest();
  }
  problem->clear();
  return success();
}

int show(const Context& context) {
  if (context.arguments.positional().size() != 1) {
    return failure(context, "evidence show", fail(Code::usage, "evidence"), "which file?");
  }
  const std::string& path = context.arguments.positional()[0];
  std::string problem;
  auto data = load(path, kMaxEvidenceFile, &problem);
  auto file = data.ok() ? EvidenceFile::detect(*data) : Result<EvidenceFile>(data.error());
  if (!file.ok()) return failure(context, "evidence", file.error(), path);
  auto description = describe(*file);
  if (!description.ok()) return failure(context, file_kind_name(file->kind), description.error(), path);
  result(context, description->to_text(), description->to_json());
  return kExitOk;
}
}  // namespace

Result<Verdict> appraise_file(const Arguments& arguments, const AppraisalPolicy& policy, std::string* problem) {
  Pieces pieces;
  TRY_LET(pieces.file, load(arguments.get("evidence"), kMaxEvidenceFile, problem));
  TRY_LET(EvidenceFile file, EvidenceFile::detect(pieces.file));
  ForeignEvidence foreign;
  switch (file.kind) {
    case FileKind::saved: return appraise_saved(file, policy);
    case FileKind::snp_report: TRY(snp_pieces(arguments, file, &pieces, &foreign.items, problem)); break;
    case FileKind::tdx_quote: TRY(tdx_pieces(arguments, file, &pieces, &foreign.items, problem)); break;
    case FileKind::tpm_attest: TRY(tpm_pieces(arguments, file, &pieces, &foreign.items, problem)); break;
    default:
      *problem += std::string(": ") + file_kind_name(file.kind) + " by itself proves nothing";
      return fail(Code::evidence_unknown, "evidence.kind");
  }
  if (arguments.has("nonce")) {
    std::string text = arguments.get("nonce");
    pieces.nonce.resize(text.size() / 2);
    *problem = "--nonce takes hexadecimal digits: REPORT_DATA (32 or 64 bytes), or the nonce of a TPM quote";
    if (pieces.nonce.empty() || pieces.nonce.size() > kMaxNonce || !from_hex(text, pieces.nonce).ok()) {
      return fail(Code::usage, "evidence.nonce");
    }
    foreign.bound_to = Bytes(pieces.nonce);
  }
  problem->clear();
  return appraise_foreign(foreign, policy);
}

const Command kEvidenceShow = {
    "evidence show",
    "Explain a file of evidence: every field, certificate and event.",
    "  FILE    evidence that `cstl verify --save-evidence` wrote, an SEV-SNP report (snpguest, go-sev-guest, /dev/sev-guest),\n"
    "          a TDX quote, an HCL report of Azure, a TPM attestation structure (tpm2_quote -m), an event log (of PCRs or\n"
    "          RTMRs), certificates\n"
    "\nNothing is verified: `cstl verify --evidence FILE` does that.\n",
    {},
    {},
    show};

}  // namespace cstl::cli
