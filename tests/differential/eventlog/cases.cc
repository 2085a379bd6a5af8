// Our side of tests/differential/eventlog_test.sh.
//   eventlog_cases make ROOT SEED COUNT            writes inputs for the Go program to stdout
//   eventlog_cases compare ROOT SEED COUNT FILE    judges the same inputs, compares with the Go program's lines
// Every disagreement must be one that kReasons explains; anything else is printed, and the exit code is 1.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <sstream>

#include "attest/tpm/boot_state.h"
#include "attest/tpm/event_types.h"
#include "attest/tpm/verify.h"
#include "crypto/base/fd.h"
#include "tests/differential/eventlog/inputs.h"

using namespace cstl;
using namespace cstl::differential;
using namespace cstl::tpm;

namespace {
struct Ours {
  std::string verdict;   // "refused", "differs", "replayed", as the Go program says it
  std::string site;      // of a refusal
  std::string events;    // digest over the events
  Result<EventLog> log = fail(Code::internal, "");
  BootState state;
};

struct Theirs {
  std::string verdict, events, attestation, secure_boot;
};

void little(std::vector<uint8_t>& out, uint32_t value) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<uint8_t>(value >> 8 * i));
}

std::string digest_of(const EventLog& log) {
  std::vector<uint8_t> all;
  for (const Event& event : log.events) {
    little(all, event.pcr);
    little(all, event.type);
    little(all, static_cast<uint32_t>(event.digest.size()));
    little(all, static_cast<uint32_t>(event.data.size()));
    all.insert(all.end(), event.digest.begin(), event.digest.end());
    all.insert(all.end(), event.data.begin(), event.data.end());
  }
  return to_hex(Bytes(*sha256({all})).first(8));
}

// As appraisal judges it, for the registers that the input states; SHA-1 is not replayed.
bool replays(const Log& input, const EventLog& log) {
  if (input.kind == Kind::old) return true;
  uint32_t present = 0, pcr = 0;
  if (input.kind == Kind::cc) {
    auto values = log.replay_rtmrs(present);
    for (const Register& r : input.registers) {
      if ((present >> r.index & 1) != 0 && !equal(values[r.index], r.value)) return false;
    }
    return true;
  }
  PcrValues quoted = log.replay(present);  // registers that are not stated count as they are
  for (const Register& r : input.registers) std::memcpy(quoted[r.index].data(), r.value.data(), r.value.size());
  return check_replay(log, quoted, pcr).ok();
}

Ours judge(const Log& input) {
  Ours out;
  out.log = EventLog::decode(input.bytes, format_of(input.kind));
  if (!out.log.ok()) {
    out.verdict = "refused";
    out.site = out.log.error().site;
    return out;
  }
  out.verdict = replays(input, *out.log) ? "replayed" : "differs";
  out.events = digest_of(*out.log);
  out.state = BootState::of(*out.log);
  return out;
}

constexpr std::string_view kZeros("\0\0\0\0", 4);

// The event types that go-eventlog can name; asked for others, it ends itself.
bool known_to_them(uint32_t type) {
  return type <= 0x12 || (type >= 0x80000000 && type <= 0x8000000c) || type == kEvHcrtm || type == kEvVariableAuthority;
}

struct Case {
  const Log& input;
  const Ours& ours;
  const Theirs& theirs;
  bool refused_at(std::string_view site) const { return ours.site == site; }
  bool any_event(const std::function<bool(const Event&)>& is) const {
    if (!ours.log.ok()) return false;
    for (const Event& event : ours.log->events) {
      if (is(event)) return true;
    }
    return false;
  }
  bool theirs_says(std::string_view part) const { return theirs.secure_boot.find(part) != std::string::npos; }
  bool why(std::string_view part) const { return ours.state.secure_boot_why.find(part) != std::string::npos; }
};

struct Reason {
  const char* text;
  std::function<bool(const Case&)> applies;
};

// About reading and replay.
const Reason kReasons[] = {
    {"an event that extends no existing register; Go leaves it out",
     [](const Case& c) { return c.refused_at("log.pcr") || c.refused_at("log.mrtd"); }},
    {"an event without the bank's digest; Go minds only when its register is asked for",
     [](const Case& c) { return c.refused_at("log.no_digest"); }},
    {"one digest twice or more digests than banks; Go takes the first",
     [](const Case& c) { return c.refused_at("log.digest_twice") || c.refused_at("log.digests"); }},
    {"a startup locality that does not exist, comes late or twice; Go takes any",
     [](const Case& c) { return c.refused_at("log.locality"); }},
    {"a header in another register, or whose type is another; Go reads on, as the old format in the second case",
     [](const Case& c) { return c.refused_at("log.header"); }},
    {"a header that lists no bank, one twice, more than 16, or an impossible size; Go takes what it needs",
     [](const Case& c) { return c.refused_at("log.algorithms"); }},
    {"a header without the bank that is asked for; Go has nothing to compare then",
     [](const Case& c) { return c.refused_at("log.bank"); }},
    {"a bank whose digests are of another size; Go refuses it in the replay",
     [](const Case& c) { return c.refused_at("log.digest_size") && c.theirs.verdict == "differs"; }},
    {"a log of the old format with SHA-1 only; Go reads it whatever bank is asked for",
     [](const Case& c) { return c.refused_at("log.sha1_only"); }},
    {"what follows the log is not all padding; Go stops at the first sign of it",
     [](const Case& c) { return c.input.kind == Kind::cc && c.ours.verdict == "refused"; }},
    {"padding behind the log; Go knows the ones of a CCEL only, and reads 16 zeros as an event without digests",
     [](const Case& c) { return c.ours.log.ok() && c.ours.log->size < c.input.bytes.size(); }},
    {"information about no register, 0xffffffff; Go takes it for padding",
     [](const Case& c) { return c.any_event([](const Event& e) { return e.pcr == 0xffffffff; }); }},
    {"an old log whose first event informs at length; Go expects a header then",
     [](const Case& c) {
       return c.input.kind == Kind::old && c.ours.log.ok() && c.theirs.verdict == "refused" &&
              c.ours.log->events[0].type == kEvNoAction;
     }},
    {"an old log cannot be replayed by us", [](const Case& c) {
       return c.input.kind == Kind::old && c.ours.verdict == "replayed" && c.theirs.verdict == "differs";
     }},
    {"a measured launch (H-CRTM) starts PCR 0 at 4; Go starts at 0", [](const Case& c) {
       return c.any_event([](const Event& e) { return e.type == kEvHcrtm && e.pcr == 0; });
     }},
};

// About Secure Boot, when both have read the log.
const Reason kSecureBootReasons[] = {
    {"SecureBoot is empty: it was never set up; Go wants one byte",
     [](const Case& c) {
       return c.theirs_says("SecureBoot_data_len_is_0") && c.ours.state.secure_boot == SecureBoot::off;
     }},
    {"SecureBoot was not measured; Go takes it for off",
     [](const Case& c) { return c.why("SecureBoot was not measured") && c.theirs_says("false:"); }},
    {"the register has no separator; Go needs none", [](const Case& c) { return c.why("no separator"); }},
    {"SHA-1 proves nothing", [](const Case& c) { return c.input.kind == Kind::old; }},
    {"two separators in one register of TDX; Go takes that for a fault",
     [](const Case& c) { return c.input.kind == Kind::cc && c.theirs_says("duplicate_separator"); }},
    {"PCR 2 is none of Secure Boot's; Go reads its drivers and separators in the same pass", [](const Case& c) {
       if (c.input.kind != Kind::pcrs) return false;
       size_t separators = 0;
       bool odd = false, unknown = false;
       c.any_event([&](const Event& e) {
         if (e.pcr != 2 || !e.extends()) return false;
         separators += e.type == kEvSeparator ? 1 : 0;
         odd = odd || (e.type == kEvSeparator && (e.data.text() != kZeros || !is_measured(e.data, e.digest)));
         unknown = unknown || !known_to_them(e.type);
         return false;
       });
       return c.theirs_says("driver") || (separators > 1 && c.theirs_says("duplicate_separator")) ||
              (odd && c.theirs_says("invalid_separator")) || (unknown && c.theirs_says("panic"));
     }},
    {"after the separator the running system can write: only authorities are read there; Go refuses the rest",
     [](const Case& c) {
       return c.ours.state.secure_boot != SecureBoot::unknown &&
              (c.theirs_says("after_separator") || c.theirs_says("unexpected_event_type") ||
               c.theirs_says("duplicate_EFI") || c.theirs_says("unexpected_EFI_action") || c.theirs_says("panic") ||
               c.theirs_says("failed_parsing_EFI_variable_at"));
     }},
    {"an authority that is no certificate for Go's parser; we fingerprint what was measured",
     [](const Case& c) { return c.theirs_says("authority") && c.theirs_says("asn1"); }},
    {"old shims log a byte too much; Go allows for it when the owner is missing too",
     [](const Case& c) { return c.theirs_says("invalid_digest_for_authority") && c.input.kind != Kind::old; }},
    {"a BootOrder that hashes like the separator of failed firmware, before any separator; Go tells separators by type",
     [](const Case& c) { return c.input.kind == Kind::cc && c.why("firmware measured a failure"); }},
    {"separators in RTMR1 and behind RTMR0's first are none of Secure Boot's; Go wants each to be sound",
     [](const Case& c) {
       return c.input.kind == Kind::cc && c.ours.state.secure_boot != SecureBoot::unknown &&
              c.theirs_says("invalid_separator");
     }},
    {"RTMR0 holds what a TPM has in PCR 1, which nobody can judge: we pass over what is not Secure Boot's there",
     [](const Case& c) {
       return c.input.kind == Kind::cc && c.ours.state.secure_boot != SecureBoot::unknown &&
              (c.theirs_says("unexpected_event_type") || c.theirs_says("unexpected_EFI_action"));
     }},
};

std::string secure_boot_text(const BootState& state) {
  if (state.secure_boot == SecureBoot::unknown) return "error";
  auto count = [](const KeyDatabase& keys) { return std::to_string(keys.certificates.size()); };
  return std::string(state.secure_boot == SecureBoot::on ? "true" : "false") + ":" + count(state.pk) + "/" +
         count(state.kek) + "/" + count(state.db) + "/" + count(state.dbx) + "/" +
         std::to_string(state.dbx.hashes) + ":" + std::to_string(state.authorities.size());
}

class Comparison {
 public:
  void add(size_t number, const Case& c) {
    bool same = c.ours.verdict == c.theirs.verdict && (c.ours.verdict == "refused" || c.ours.events == c.theirs.events);
    settle(number, c, same, kReasons, "verdict");
    // go-attestation has the same reader without padding.
    if (c.input.kind != Kind::cc && c.theirs.attestation != "-") {
      settle(number, c, c.theirs.attestation == c.theirs.verdict, kReasons, "go-attestation");
    }
    if (c.ours.verdict == "refused" || c.theirs.verdict == "refused" || c.theirs.verdict == "panic") return;
    if (c.ours.events != c.theirs.events) return;
    std::string ours = secure_boot_text(c.ours.state), theirs = c.theirs.secure_boot;
    bool both_unknown = ours == "error" && (theirs.compare(0, 6, "error:") == 0 || theirs == "panic");
    ++secure_boot_;
    settle(number, c, both_unknown || ours == theirs, kSecureBootReasons, "Secure Boot");
  }

  int report(size_t inputs) const {
    std::printf("%zu inputs: %zu comparisons agree, %zu disagree for a stated reason, %zu for none\n", inputs, agreed_,
                explained_, unexplained_);
    std::printf("both accepted %zu, both refused %zu, Secure Boot compared %zu times\n", accepted_, refused_,
                secure_boot_);
    for (const auto& row : reasons_) std::printf("%7zu  %s\n", row.second, row.first.c_str());
    // A test that accepts or refuses everything compares nothing.
    return unexplained_ == 0 && accepted_ > inputs / 20 && refused_ > inputs / 20 && secure_boot_ > inputs / 20 ? 0 : 1;
  }

 private:
  template <size_t N>
  void settle(size_t number, const Case& c, bool same, const Reason (&reasons)[N], const char* what) {
    if (same) {
      ++agreed_;
      bool first = std::string_view(what) == "verdict";
      if (first && c.ours.verdict == "replayed") ++accepted_;
      if (first && c.ours.verdict != "replayed") ++refused_;
      return;
    }
    for (const Reason& reason : reasons) {
      if (!reason.applies(c)) continue;
      ++explained_;
      ++reasons_[std::string(what) + ": " + reason.text];
      return;
    }
    ++unexplained_;
    std::printf("input %zu (%s): %s: ours %s %s %s %s \"%s\", theirs %s %s %s %s\n", number, c.input.name.c_str(), what,
                c.ours.verdict.c_str(), c.ours.site.c_str(), c.ours.events.c_str(),
                secure_boot_text(c.ours.state).c_str(), c.ours.state.secure_boot_why.c_str(), c.theirs.verdict.c_str(),
                c.theirs.events.c_str(), c.theirs.attestation.c_str(), c.theirs.secure_boot.c_str());
  }

  size_t agreed_ = 0, explained_ = 0, unexplained_ = 0, accepted_ = 0, refused_ = 0, secure_boot_ = 0;
  std::map<std::string, size_t> reasons_;
};

int make(const std::vector<Log>& logs, uint64_t seed, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    Log log = input(logs, seed, i);
    std::vector<uint8_t> out{static_cast<uint8_t>(log.kind), static_cast<uint8_t>(log.registers.size())};
    for (const Register& r : log.registers) {
      out.push_back(r.index);
      out.insert(out.end(), r.value.begin(), r.value.end());
    }
    little(out, static_cast<uint32_t>(log.bytes.size()));
    out.insert(out.end(), log.bytes.begin(), log.bytes.end());
    if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size()) return 2;
  }
  return std::fflush(stdout) == 0 ? 0 : 2;
}

int compare(const std::vector<Log>& logs, uint64_t seed, size_t count, const char* path) {
  Result<std::vector<uint8_t>> file = read_file(path, size_t{1} << 26);
  if (!file.ok()) return 2;
  std::istringstream lines(std::string(file->begin(), file->end()));
  Comparison comparison;
  for (size_t i = 0; i < count; ++i) {
    Theirs theirs;
    if (!(lines >> theirs.verdict >> theirs.events >> theirs.attestation >> theirs.secure_boot)) {
      std::printf("the Go program ended at input %zu\n", i);
      return 1;
    }
    Log log = input(logs, seed, i);
    Ours ours = judge(log);
    comparison.add(i, Case{log, ours, theirs});
  }
  return comparison.report(count);
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  std::vector<Log> logs = real_logs(argv[2]);
  uint64_t seed = std::strtoull(argv[3], nullptr, 0);
  size_t count = std::strtoul(argv[4], nullptr, 0);
  std::string command = argv[1];
  if (command == "make") return make(logs, seed, count);
  if (command == "compare" && argc == 6) return compare(logs, seed, count, argv[5]);
  return 2;
}
