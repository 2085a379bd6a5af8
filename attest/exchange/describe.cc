#include "attest/exchange/describe.h"

#include "attest/azure/hcl.h"
#include "attest/exchange/describe_parts.h"
#include "attest/merkle.h"
#include "attest/snp/collateral.h"
#include "crypto/base/utc.h"
#include "crypto/x509.h"

namespace cstl {

using exchange::Facts;

namespace {
// A part that cannot be read is said in its place; the others are still described.
void try_part(const Facts& facts, Status status) {
  if (!status.ok()) facts.add("form", std::string("cannot be read: ") + code_name(status.error().code));
}

Status describe_items(const Evidence& evidence, std::vector<Fact>& out, std::vector<DescribedEvent>& events) {
  Facts top(out, "");
  top.add("variant", variant_name(evidence.variant));
  if (!evidence.merkle.empty()) {
    if (Result<MerklePath> path = MerklePath::decode(evidence.merkle); path.ok()) {
      top.add("tree", "leaf " + std::to_string(path->index) + " of " + std::to_string(path->size));
    }
  }
  if (!evidence.quote.empty()) try_part(top.under("tpm.quote"), exchange::describe_attest(evidence.quote, top.under("tpm.quote")));
  if (!evidence.ak_public.empty()) try_part(top.under("tpm.ak"), exchange::describe_public(evidence.ak_public, top.under("tpm.ak")));
  for (size_t i = 0; i < evidence.pcr_values.size() / sizeof(Digest32); ++i) {
    top.hex("tpm.pcr" + std::to_string(i), evidence.pcr_values.skip(i * sizeof(Digest32)).first(sizeof(Digest32)));
  }
  if (!evidence.ek_certificate.empty()) exchange::describe_certificate(evidence.ek_certificate, top.under("tpm.ek"));
  exchange::describe_certificate_list(evidence.ek_chain, top.under("tpm.ek_chain"));
  exchange::describe_certificate_list(evidence.ak_certificate, top.under("tpm.ak_certificate"));
  if (!evidence.tee_report.empty()) {
    if (has_snp(evidence.variant)) try_part(top.under("snp"), exchange::describe_snp(evidence.tee_report, top.under("snp")));
    else try_part(top.under("tdx"), exchange::describe_tdx(evidence.tee_report, top.under("tdx")));
  }
  exchange::describe_certificate_list(evidence.tee_certificates, top.under("snp.certificates"));
  if (!evidence.tee_collateral.empty()) top.number("collateral.bytes", evidence.tee_collateral.size());
  if (!evidence.runtime_data.empty()) {
    top.number("runtime_data.bytes", evidence.runtime_data.size());
    top.add("runtime_data.text", exchange::shown(evidence.runtime_data.text(), 2048));
  }
  if (!evidence.registers.empty()) top.hex("cluster_register", evidence.registers);
  if (!evidence.event_log.empty()) {
    try_part(top.under("log"), exchange::describe_log(evidence.event_log, false, false, top.under("log"), events));
  }
  if (!evidence.ccel.empty()) {
    try_part(top.under("ccel"), exchange::describe_log(evidence.ccel, true, false, top.under("ccel"), events));
  }
  return success();
}

Status describe_hcl(Bytes input, const Facts& top) {
  TRY_LET(azure::HclReport hcl, azure::HclReport::decode(input));
  top.add("hcl.kind", hcl.kind == azure::HclKind::snp ? "SEV-SNP" : "TDX");
  top.add("hcl.runtime_data", exchange::shown(hcl.runtime_data.text(), 4096));
  if (hcl.kind == azure::HclKind::snp) return exchange::describe_snp(hcl.report, top.under("snp"));
  top.hex("tdx.td_report", hcl.report);
  return success();
}

void describe_table(Bytes input, const Facts& top) {
  Result<snp::CertificateTable> table = snp::CertificateTable::decode(input);
  if (!table.ok()) return;
  struct Row {
    const char* name;
    Bytes der;
  };
  for (const Row& row : {Row{"vcek", table->vcek}, Row{"vlek", table->vlek}, Row{"ask", table->ask}, Row{"ark", table->ark}}) {
    if (!row.der.empty()) exchange::describe_certificate(row.der, top.under(row.name));
  }
}
}  // namespace

Result<Description> describe(const Evidence& evidence) {
  Description out;
  out.kind = file_kind_name(FileKind::evidence);
  TRY(describe_items(evidence, out.facts, out.events));
  return out;
}

Result<Description> describe(const EvidenceFile& file) {
  Description out;
  out.kind = file_kind_name(file.kind);
  Facts top(out.facts, "");
  switch (file.kind) {
    case FileKind::saved: {
      TRY_LET(SavedEvidence saved, SavedEvidence::decode(file.content));
      top.add("saved_at", utc_text(saved.saved_at));
      top.hex("binding", saved.binding);
      TRY_LET(Evidence evidence, Evidence::decode(saved.evidence));
      TRY(describe_items(evidence, out.facts, out.events));
      break;
    }
    case FileKind::evidence: {
      TRY_LET(Evidence evidence, Evidence::decode(file.content));
      TRY(describe_items(evidence, out.facts, out.events));
      break;
    }
    case FileKind::snp_report:
      TRY(exchange::describe_snp(file.content, top.under("snp")));
      describe_table(file.table, top.under("snp.certificates"));
      break;
    case FileKind::tdx_quote:
      TRY(exchange::describe_tdx(file.content, top.under("tdx")));
      if (file.ignored != 0) top.number("ignored_bytes", file.ignored);
      break;
    case FileKind::hcl_report: TRY(describe_hcl(file.content, top)); break;
    case FileKind::tpm_attest: TRY(exchange::describe_attest(file.content, top.under("tpm.quote"))); break;
    case FileKind::event_log:
      TRY(exchange::describe_log(file.content, file.cc_log, file.old_log, top.under("log"), out.events));
      break;
    case FileKind::certificates: {
      TRY_LET(auto list, certificates_from_file(file.content));
      for (size_t i = 0; i < list.size(); ++i) exchange::describe_certificate(list[i], top.under("certificate." + std::to_string(i)));
      break;
    }
  }
  return out;
}

std::string Description::to_text() const {
  size_t width = 0;
  for (const Fact& fact : facts) width = fact.name.size() > width && fact.name.size() <= 32 ? fact.name.size() : width;
  std::string out = kind + "\n";
  for (const Fact& fact : facts) {
    std::string name = fact.name;
    if (name.size() < width) name.resize(width, ' ');
    out += "  " + name + "  " + fact.value + "\n";
  }
  for (const DescribedEvent& event : events) {
    out += "  event " + std::to_string(event.number) + "  " + event.index + "  " + event.type + "  " + event.component + "\n";
    if (!event.digest.empty()) out += "      " + event.digest + "\n";
    if (!event.text.empty()) out += "      " + event.text + "\n";
  }
  return out;
}

nlohmann::json Description::to_json() const {
  nlohmann::json object = nlohmann::json::object();
  for (const Fact& fact : facts) object[fact.name] = fact.value;
  nlohmann::json list = nlohmann::json::array();
  for (const DescribedEvent& event : events) {
    list.push_back({{"number", event.number},
                    {"index", event.index},
                    {"type", event.type},
                    {"component", event.component},
                    {"digest", event.digest},
                    {"text", event.text}});
  }
  return {{"kind", kind}, {"facts", std::move(object)}, {"events", std::move(list)}};
}

}  // namespace cstl
