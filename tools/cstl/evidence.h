// Evidence in files, for the commands: what lies beside it, and its appraisal. Nothing here prints.
#pragma once

#include "attest/exchange/evidence_file.h"
#include "attest/reference/appraise.h"
#include "tools/cstl/command.h"

namespace cstl::cli {

// Appraises the file that --evidence names, with what --certificates, --collateral, --signature, --ak, --pcrs, --event-log,
// --ek-certificate, --ccel and --nonce give. Errors: those of files, evidence_unknown, usage; `problem` names the place. What is
// wrong with the evidence itself is in the verdict.
Result<Verdict> appraise_file(const Arguments& arguments, const AppraisalPolicy& policy, std::string* problem);

}  // namespace cstl::cli
