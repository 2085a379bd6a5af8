#include "attest/platform/report_issuer.h"

namespace cstl {

Result<EvidenceList> ReportIssuer::sign(const std::vector<Digest32>& bindings, size_t wanted) {
  TRY_LET(MerkleTree tree, MerkleTree::build(bindings));
  TRY_LET(Digest32 qualifier, quote_qualifier(tree.root()));
  Evidence evidence;
  evidence.variant = variant_;
  TRY(source_.add(qualifier, evidence));
  return tpm::encode_for_leaves(evidence, tree, wanted);
}

Result<std::vector<uint8_t>> ReportIssuer::activate(Bytes) { return fail(Code::unsupported, "report.activate"); }

}  // namespace cstl
