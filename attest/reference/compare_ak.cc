// Who vouches for the AK of a cloud's virtual TPM.
#include "attest/aws/document.h"
#include "attest/azure/runtime_data.h"
#include "attest/platform/ak.h"
#include "attest/reference/compare.h"
#include "crypto/base/log.h"

namespace cstl::reference {

namespace {
// A chain's own codes say more than that it is bad, unless it merely leads elsewhere.
Code chain_code(const Error& error) { return error.code == Code::untrusted_chain ? Code::ak_chain : error.code; }

Claim chain_claim(const Status& chain) {
  Claim claim = passed("ak.chain");
  claim.expected = "a pinned root";
  claim.seen = chain.ok() ? "a pinned root" : "no chain to a pinned root";
  claim.component = "platform";
  if (!chain.ok()) {
    claim.result = ClaimResult::failed;
    claim.why = describe(chain.error());
  }
  return claim;
}

Claim key_claim(const Status& key, const char* expected) {
  Claim claim = key.ok() ? passed("ak.platform") : failed("ak.platform", key.error());
  claim.expected = expected;
  claim.component = "platform";
  return claim;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// What Google's certificate says about the instance, and what its firmware measured.
void compare_gcp(const Machine& machine, Bytes certificate, Comparison& out) {
  const GcpReference& wanted = out.set->gcp;
  Result<CertificateView> view = CertificateView::parse(certificate);
  Result<Bytes> extension = view.ok() ? view->extension(gcp::kInstanceExtension) : Result<Bytes>(view.error());
  Result<gcp::Instance> instance = extension.ok() ? gcp::Instance::decode(*extension) : Result<gcp::Instance>(extension.error());
  if (!instance.ok()) {
    out.add(failed("instance.certificate", instance.error()), instance.code());
  } else {
    out.facts.push_back({"gcp.project", std::string(instance->project)});
    out.facts.push_back({"gcp.zone", std::string(instance->zone)});
    out.facts.push_back({"gcp.instance", std::string(instance->name) + " " + std::to_string(instance->id)});
    Claim claim = passed("instance.production");
    if (!instance->production) {
      claim = failed("instance.production", fail(Code::ak_chain, "gce.production"));
      claim.why = "the certificate is none of Google's production systems";
    }
    out.add(std::move(claim), Code::ak_chain);
  }
  if (!wanted.projects.empty()) {
    Claim claim = passed("instance.project");
    claim.expected = join(wanted.projects);
    claim.seen = instance.ok() ? std::string(instance->project) : "unknown";
    bool known = false;
    for (const std::string& project : wanted.projects) known = known || claim.seen == project;
    if (!known) {
      claim.result = ClaimResult::failed;
      claim.why = "the instance is of another project";
    }
    out.add(std::move(claim), Code::reference_mismatch);
  }
  std::vector<gcp::Technology> technologies = wanted.technologies;
  // An SEV-SNP report alone does not say that it is of the machine whose TPM this is: another one may have asked for it.
  if (technologies.empty() && out.set->variant == Variant::gcp_sev_snp) technologies = {gcp::Technology::sev_snp};
  if (technologies.empty()) technologies = {gcp::Technology::sev, gcp::Technology::sev_es};
  Result<gcp::Technology> seen = machine.log ? gcp::technology_of(*machine.log)
                                             : Result<gcp::Technology>(fail(Code::technology_unknown, "gce.no_log"));
  Claim claim = seen.ok() ? passed("gce.technology") : failed("gce.technology", seen.error());
  std::vector<std::string> names;
  bool known = false;
  for (gcp::Technology technology : technologies) {
    names.push_back(gcp::technology_name(technology));
    known = known || (seen.ok() && *seen == technology);
  }
  claim.expected = join(names);
  claim.seen = seen.ok() ? gcp::technology_name(*seen) : "unknown";
  claim.component = "memory encryption";
  if (!known && claim.why.empty()) claim.why = "the firmware measured another technology";
  if (!known) claim.result = ClaimResult::failed;
  out.add(std::move(claim), Code::technology_unknown);
}

void compare_certificate(const Machine& machine, Comparison& out) {
  if (machine.evidence.ak_certificate.empty()) {
    return out.stop(failed("ak.chain", fail(Code::ak_missing, "ak.certificate")), Code::ak_missing);
  }
  Result<std::vector<Bytes>> list = split_certificates(machine.evidence.ak_certificate, Code::bad_certificate);
  if (!list.ok()) return out.stop(failed("ak.chain", list.error()), list.code());
  const std::vector<Bytes> others(list->begin() + 1, list->end());
  Status chain = verify_to_roots(list->front(), others, out.set->ak_roots, machine.now);
  if (!chain.ok()) return out.stop(chain_claim(chain), chain_code(chain.error()));
  out.add(chain_claim(chain), Code::ak_chain);
  Status key = check_ak_certificate(list->front(), *machine.ak);
  out.endorsed = key.ok();
  out.add(key_claim(key, "the key that the platform certifies"), key.code());
  if (Result<CertificateView> view = CertificateView::parse(list->front()); view.ok()) {
    out.validity.narrow(view->not_before, view->not_after + 1);
  }
  if (out.set->variant != Variant::azure_trustedlaunch) compare_gcp(machine, list->front(), out);
}

// The report itself vouches for the runtime data (compare_tee); here only whose key they name.
void compare_runtime_data(const Machine& machine, Comparison& out) {
  Result<azure::RuntimeData> data = azure::RuntimeData::parse(machine.evidence.runtime_data);
  if (!data.ok()) return out.stop(failed("ak.platform", data.error()), data.code());
  if (!data->vm_id.empty()) out.facts.push_back({"azure.vm_id", data->vm_id});
  out.facts.push_back({"azure.secure_boot", data->secure_boot ? "on" : "off"});
  Status key = azure::check_ak(*data, *machine.ak);
  out.endorsed = key.ok();
  out.add(key_claim(key, "the key in the runtime data that the report vouches for"), key.code());
}

void compare_nitro_pcrs(const aws::VerifiedDocument& document, Comparison& out) {
  for (const NitroPcr& pcr : out.set->nitro_pcrs) {
    Claim claim = passed("nitro.pcr" + std::to_string(pcr.index));
    for (const Digest48& digest : pcr.expected) claim.expected += (claim.expected.empty() ? "" : " or ") + to_hex(digest);
    claim.seen = document.has(pcr.index) ? to_hex(document.pcr(pcr.index)) : "not in the document";
    bool equals = false;
    for (const Digest48& digest : pcr.expected) equals = equals || (document.has(pcr.index) && digest == document.pcr(pcr.index));
    if (!equals) {
      claim.result = ClaimResult::failed;
      claim.why = "the hypervisor signed another value";
      out.endorsed = false;
    }
    out.add(std::move(claim), Code::reference_mismatch);
  }
}

void compare_document(const Machine& machine, Comparison& out) {
  // With nothing pinned, a document is anyone's.
  const bool pinned = !out.set->ak_roots.empty() && !out.set->nitro_pcrs.empty();
  const bool there = !machine.evidence.runtime_data.empty();
  if (!pinned || (!there && out.set->allow_unendorsed_ak)) {
    Claim claim = failed("ak.platform", fail(Code::ak_missing, "ak.document"));
    claim.expected = "an attestation document of the hypervisor, or nothing";
    claim.seen = there ? "a document that the set does not judge" : "nothing";
    claim.why = "nothing vouches for this attestation key; the set allows that";
    claim.component = "platform";
    if (out.set->allow_unendorsed_ak) claim.result = ClaimResult::warned;
    return out.add(std::move(claim), Code::ak_missing);
  }
  if (!there) return out.stop(failed("ak.platform", fail(Code::ak_missing, "ak.document")), Code::ak_missing);
  std::vector<Digest32> pins;
  for (const std::vector<uint8_t>& root : out.set->ak_roots) {
    Result<Digest32> pin = certificate_spki_hash(root);
    if (!pin.ok()) return out.stop(failed("nitro.chain", pin.error()), Code::ak_chain);
    pins.push_back(*pin);
  }
  aws::DocumentStep reached = aws::DocumentStep::form;
  Result<aws::VerifiedDocument> document =
      aws::verify_document(machine.evidence.runtime_data, ChainPolicy{pins.data(), pins.size(), machine.now},
                           machine.qualifier, machine.evidence.ak_public, reached);
  for (unsigned step = 0; step < static_cast<unsigned>(reached); ++step) {
    out.add(passed(aws::document_step_name(static_cast<aws::DocumentStep>(step))), Code::ok);
  }
  if (!document.ok()) return out.stop(failed(aws::document_step_name(reached), document.error()), document.code());
  out.facts.push_back({"aws.module_id", document->module_id()});
  out.endorsed = true;
  compare_nitro_pcrs(*document, out);
}
}  // namespace

void compare_ak(const Machine& machine, Comparison& out) {
  switch (ak_root_of(out.set->variant)) {
    case AkRoot::certificate: return compare_certificate(machine, out);
    case AkRoot::report: return compare_runtime_data(machine, out);
    case AkRoot::document: return compare_document(machine, out);
    case AkRoot::ek:
    case AkRoot::none: return;
  }
}

}  // namespace cstl::reference
