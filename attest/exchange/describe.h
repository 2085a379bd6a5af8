// What is in a file of evidence, in words: every field of reports, quotes, keys and certificates, and every event of a log.
// Describing is not believing: nothing is verified here, and the text of a log is its writer's word. All texts are printable
// ASCII; lists are bounded by the parsers.
#pragma once

#include <string>
#include <vector>

#include "attest/exchange/evidence_file.h"
#include "attest/reference/claim.h"
#include "crypto/base/json.h"

namespace cstl {

struct DescribedEvent {
  size_t number = 0;        // in the log, counted from 1
  std::string index;        // "PCR 4", "RTMR1", "MRTD", "-" for one that extends nothing
  std::string type;         // "EV_IPL"
  std::string component;
  std::string digest;       // hex
  std::string text;         // of its data
};

struct Description {
  std::string kind;                    // file_kind_name()
  std::vector<Fact> facts;             // dotted names, in the order in which they should be read; values of any length
  std::vector<DescribedEvent> events;
  std::string to_text() const;         // several lines
  nlohmann::json to_json() const;      // {"kind", "facts": {name: value}, "events": [{…}]}
};

// Errors: those of the parsers of the kind.
Result<Description> describe(const EvidenceFile& file);
Result<Description> describe(const Evidence& evidence);

}  // namespace cstl
