// How a differing PCR is explained: the fewest changes between the set's list and the log.
#include "attest/reference/explain.h"

#include "tests/attest/tpm/log_builder.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tpm;

namespace {
// Events of PCR 9 with these one-letter contents, and one of another register between them.
Buffer log_of(std::string_view letters) {
  Buffer out = header() + measured(4, 13, text("other"));
  for (char letter : letters) out = out + measured(9, 13, Buffer{static_cast<uint8_t>(letter)});
  return out;
}

PcrReference reference_of(std::string_view letters) {
  PcrReference pcr;
  pcr.index = 9;
  pcr.expected = {Digest32{}};
  for (char letter : letters) {
    pcr.events.push_back({*sha256({Buffer{static_cast<uint8_t>(letter)}}), std::string("part ") + letter});
  }
  return pcr;
}

// The explanation without its digests.
std::string why(std::string_view expected, std::string_view seen) {
  Buffer data = log_of(seen);
  Result<EventLog> log = EventLog::decode(data);
  Digest32 value;
  value.fill(1);
  std::string out = explain_pcr(reference_of(expected), value, &*log).why;
  for (size_t at; (at = out.find(", expected ")) != std::string::npos;) out.erase(at, 11 + 64);
  for (size_t at; (at = out.find(", seen ")) != std::string::npos;) out.erase(at, 7 + 64);
  for (size_t at; (at = out.find(": expected ")) != std::string::npos;) out.erase(at, 11 + 64);
  return out;
}
}  // namespace

TEST_CASE("explain: what changed, what is missing, what is too much") {
  struct Row {
    const char* expected;
    const char* seen;
    const char* why;
  };
  const Row rows[] = {
      {"AB", "AB", "every event that the set lists is in the log: the set's value is not of these events"},
      {"AB", "AX", "event 3 (EV_IPL, \"X\") differs: part B"},
      {"AB", "XB", "event 2 (EV_IPL, \"X\") differs: part A"},
      {"AB", "A", "the log lacks the event of part B"},
      {"AB", "B", "the log lacks the event of part A"},
      {"ABC", "AC", "the log lacks the event of part B"},
      {"AB", "", "the log lacks the event of part A; the log lacks the event of part B"},
      {"AB", "BA",
       "the log lacks the event of part A; event 3 (EV_IPL, \"A\") is one too many: initrd or kernel command line"},
      {"ABCD", "XABCD", "event 2 (EV_IPL, \"X\") is one too many: initrd or kernel command line "},
      {"ABCD", "ABXCD", "event 4 (EV_IPL, \"X\") is one too many: initrd or kernel command line "},
      {"ABCD", "ABCDX", "event 6 (EV_IPL, \"X\") is one too many: initrd or kernel command line "},
      {"AB", "ABB", "event 4 (EV_IPL, \"B\") is one too many: initrd or kernel command line "},
      {"ABCDE", "AXCDEY",
       "event 3 (EV_IPL, \"X\") differs: part B; "
       "event 7 (EV_IPL, \"Y\") is one too many: initrd or kernel command line"},
      {"ABCDEF", "UVWXYZ",
       "event 2 (EV_IPL, \"U\") differs: part A; event 3 (EV_IPL, \"V\") differs: part B; "
       "event 4 (EV_IPL, \"W\") differs: part C; event 5 (EV_IPL, \"X\") differs: part D; and 2 more"},
  };
  for (const Row& row : rows) {
    INFO((std::string(row.expected) + " " + row.seen));
    std::string seen = why(row.expected, row.seen);
    // A surplus event's digest follows its component.
    CHECK(seen.compare(0, std::strlen(row.why), row.why) == 0);
    size_t rest = seen.size() - std::strlen(row.why);
    CHECK((rest == 0 || rest == 64));
  }
}

TEST_CASE("explain: the component is the first that differs; the longest lists stay quick") {
  Buffer data = log_of("XB");
  Result<EventLog> log = EventLog::decode(data);
  Digest32 value{};
  value[0] = 1;
  Claim claim = explain_pcr(reference_of("AB"), value, &*log);
  CHECK(claim.component == "part A");
  CHECK(claim.why.find("expected " + to_hex(*sha256({text("A")})) + ", seen " + to_hex(*sha256({text("X")}))) !=
        std::string::npos);
  std::string most(kMaxEvents - 1, 'A');
  Buffer long_data = log_of(most);
  Result<EventLog> long_log = EventLog::decode(long_data);
  REQUIRE(long_log.ok());
  claim = explain_pcr(reference_of(std::string(kMaxReferenceEvents, 'A')), value, &*long_log);
  std::string rest = "; and " + std::to_string(kMaxEvents - 1 - kMaxReferenceEvents - 4) + " more";
  CHECK(claim.why.find(rest) != std::string::npos);
}
