#include <algorithm>

#include "attest/tdx/ccel.h"
#include "attest/tdx/reference.h"

namespace cstl::tdx {

namespace {
constexpr uint64_t kTdPerfmon = uint64_t{1} << 63;
// LASS, PKS, KL, TPA (27, 30, 31, 62) only give the TD features; together with those above, all that Intel has defined.
constexpr uint64_t kTdKnown = kTdTud | kTdSeptVeDisable | kTdMigratable | kTdPerfmon | uint64_t{1} << 27 |
                              uint64_t{1} << 30 | uint64_t{1} << 31 | uint64_t{1} << 62;

// Collects claims; the first that fails decides the code.
struct Claims {
  std::vector<Claim>& list;
  Code code = Code::ok;

  void add(const char* name, bool good, std::string expected, std::string seen, std::string why,
           Code on_failure = Code::reference_mismatch) {
    Claim claim;
    claim.name = name;
    claim.result = good ? ClaimResult::passed : ClaimResult::failed;
    claim.expected = std::move(expected);
    claim.seen = std::move(seen);
    if (!good) claim.why = std::move(why);
    if (!good && code == Code::ok) code = on_failure;
    list.push_back(std::move(claim));
  }
  void warn(const char* name, std::string seen, std::string why) {
    Claim claim;
    claim.name = name;
    claim.result = ClaimResult::warned;
    claim.seen = std::move(seen);
    claim.why = std::move(why);
    list.push_back(std::move(claim));
  }
};

template <typename T>
std::string any_of(const std::vector<T>& expected) {
  std::string out;
  for (const T& value : expected) out += (out.empty() ? "" : " or ") + to_hex(value);
  return out;
}

std::string hex64(uint64_t value) {
  std::array<uint8_t, 8> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(value >> (56 - 8 * i));
  return to_hex(bytes);
}

template <typename T>
void one_of(Claims& claims, const char* name, const std::vector<T>& expected, const T& seen) {
  if (expected.empty()) return;
  bool good = std::find(expected.begin(), expected.end(), seen) != expected.end();
  claims.add(name, good, any_of(expected), to_hex(seen), "the value is none of those that are expected");
}

// Lists whose default is strict: empty means `otherwise`.
template <typename T>
void one_of_or(Claims& claims, const char* name, std::vector<T> expected, const T& otherwise, const T& seen) {
  if (expected.empty()) expected.push_back(otherwise);
  one_of(claims, name, expected, seen);
}

void at_least(Claims& claims, const char* name, uint32_t minimum, uint32_t seen) {
  if (minimum == 0) return;
  claims.add(name, seen >= minimum, "at least " + std::to_string(minimum), std::to_string(seen),
             "older than is accepted");
}

std::string statuses_text(TcbStatusSet set) {
  std::string out;
  for (size_t i = 0; i < kTcbStatuses; ++i) {
    auto status = static_cast<TcbStatus>(i);
    if ((set & tcb_bit(status)) != 0) out += (out.empty() ? "" : " or ") + std::string(tcb_status_name(status));
  }
  return out;
}

std::string advisories_text(const TcbVerdict& tcb) {
  constexpr size_t kTold = 6;
  std::string out;
  for (size_t i = 0; i < tcb.advisories.size() && i < kTold; ++i) out += (i == 0 ? "" : ", ") + tcb.advisories[i];
  if (tcb.advisories.size() > kTold) out += " and " + std::to_string(tcb.advisories.size() - kTold) + " more";
  return out;
}

void judge_tcb_status(const VerifiedQuote& quote, const Reference& reference, Claims& claims) {
  if (!quote.has_tcb()) {
    constexpr const char* kWhy = "no collateral: neither revocation nor the TCB's status was judged";
    if (reference.collateral_required) {
      claims.add("tdx.collateral", false, "present", "none", kWhy, Code::tdx_collateral_missing);
    } else {
      claims.warn("tdx.collateral", "none", kWhy);
    }
    return;
  }
  const TcbVerdict& tcb = quote.tcb();
  std::string why = std::string("platform ") + tcb_status_name(tcb.platform) + ", TDX module " +
                    tcb_status_name(tcb.module) + ", quoting enclave " + tcb_status_name(tcb.enclave);
  if (!tcb.advisories.empty()) why += "; " + advisories_text(tcb);
  claims.add("tdx.tcb.status", (reference.statuses & tcb_bit(tcb.status)) != 0, statuses_text(reference.statuses),
             tcb_status_name(tcb.status), why, Code::tdx_tcb_status);
  at_least(claims, "tdx.tcb.evaluation", reference.evaluation, tcb.evaluation);
}

void judge_attributes(uint64_t seen, const Reference::Attributes& wanted, Claims& claims) {
  const std::string text = hex64(seen);
  auto may = [&](const char* name, uint64_t bits, bool allowed, const char* why) {
    if (!allowed) claims.add(name, (seen & bits) == 0, "off", (seen & bits) == 0 ? "off" : "on (" + text + ")", why);
  };
  may("tdx.attributes.debug", kTdTud, wanted.debug, "the host can read and change the TD's memory");
  may("tdx.attributes.migratable", kTdMigratable, wanted.migratable, "the TD may be moved to another machine");
  may("tdx.attributes.perfmon", kTdPerfmon, wanted.perfmon, "the TD uses performance counters");
  if (wanted.sept_ve_disable) {
    claims.add("tdx.attributes.sept_ve_disable", (seen & kTdSeptVeDisable) != 0, "on",
               (seen & kTdSeptVeDisable) != 0 ? "on" : "off (" + text + ")",
               "the host can make the TD handle exceptions where it must not");
  }
  claims.add("tdx.attributes.unknown", (seen & ~kTdKnown) == 0, "none", hex64(seen & ~kTdKnown),
             "attributes are set whose meaning is not known");
}

// The first place where the log's events for the register part from the set's list.
std::string explain(const RtmrReference& reference, const tpm::EventLog& log, std::string* component) {
  size_t listed = 0;
  for (size_t i = 0; i < log.events.size(); ++i) {
    const tpm::Event& event = log.events[i];
    if (!event.extends() || event.pcr != reference.index + 1u) continue;
    const bool more = listed < reference.events.size();
    if (more && equal(event.digest, reference.events[listed].digest)) {
      ++listed;
      continue;
    }
    std::string text = tpm::event_text(event);
    std::string where = "event " + std::to_string(i + 1) + " (" + tpm::event_type_name(event.type) +
                        (text.empty() ? "" : ", \"" + text + "\"") + ")";
    *component = more ? reference.events[listed].component : tpm::event_component(event, tpm::Registers::cc);
    if (!more) return where + " is one too many: " + *component;
    return where + " differs: " + *component + ", expected " + to_hex(reference.events[listed].digest) + ", seen " +
           to_hex(event.digest);
  }
  if (listed == reference.events.size())
    return "every event that the set lists is in the log: the set's value is not of these";
  *component = reference.events[listed].component;
  return "the log lacks the event of " + *component + ": expected " + to_hex(reference.events[listed].digest);
}

void judge_rtmr(const RtmrReference& reference, const Digest48& seen, const tpm::EventLog* log, Claims& claims) {
  const std::string name = "tdx.rtmr" + std::to_string(reference.index);
  bool good = std::find(reference.expected.begin(), reference.expected.end(), seen) != reference.expected.end();
  std::string component = reference.component;
  std::string why = "the value is none of those that are expected";
  if (!good && log != nullptr && !reference.events.empty()) why = explain(reference, *log, &component);
  if (good || reference.enforce) {
    claims.add(name.c_str(), good, any_of(reference.expected), to_hex(seen), std::move(why));
  } else {
    claims.warn(name.c_str(), to_hex(seen), std::move(why));
    claims.list.back().expected = any_of(reference.expected);
  }
  claims.list.back().component = std::move(component);
}

// The log, if there is one and it replays.
const tpm::EventLog* judge_log(Bytes ccel, const Rtmrs& quoted, Result<tpm::EventLog>& log, Claims& claims) {
  if (ccel.empty()) return nullptr;
  log = tpm::EventLog::decode(ccel, tpm::kCcLog);
  if (!log.ok()) {
    claims.add("tdx.ccel", false, "a CC event log", "", code_what(log.code()), log.code());
    return nullptr;
  }
  uint32_t rtmr = 0;
  Status replayed = check_replay(*log, quoted, rtmr);
  claims.add("tdx.ccel", replayed.ok(), "replays to the quoted RTMRs",
             replayed.ok() ? "it does" : "RTMR" + std::to_string(rtmr) + " differs",
             "the log is not of this TD, or was changed", Code::rtmr_replay);
  return replayed.ok() ? &*log : nullptr;
}
}  // namespace

Code appraise(const VerifiedQuote& quote, const Reference& reference, Bytes ccel, std::vector<Claim>& list) {
  const TdReport& report = quote.report();
  const Digest48 zeros{};
  Claims claims{list};
  judge_tcb_status(quote, reference, claims);
  one_of_or(claims, "tdx.qe.vendor", reference.qe_vendors, kIntelQeVendor, quote.qe_vendor_id());
  at_least(claims, "tdx.qe.svn", reference.qe_svn, quote.qe_isv_svn());
  at_least(claims, "tdx.tcb.pce_svn", reference.pce_svn, quote.pck().pce_svn);
  if (reference.tee_tcb_svn) {
    bool good = true;
    for (size_t i = 0; i < report.tee_tcb_svn.size(); ++i)
      good = good && report.tee_tcb_svn[i] >= (*reference.tee_tcb_svn)[i];
    claims.add("tdx.tcb.svn", good, "at least " + to_hex(*reference.tee_tcb_svn), to_hex(report.tee_tcb_svn),
               "a component is older than is accepted");
  }
  one_of(claims, "tdx.mrseam", reference.mr_seam, report.mr_seam);
  one_of_or(claims, "tdx.mrsignerseam", reference.mr_signer_seam, zeros, report.mr_signer_seam);
  judge_attributes(report.td_attributes, reference.attributes, claims);
  if (!reference.xfam.empty()) {
    std::string expected;
    for (uint64_t mask : reference.xfam) expected += (expected.empty() ? "" : " or ") + hex64(mask);
    bool good = std::find(reference.xfam.begin(), reference.xfam.end(), report.xfam) != reference.xfam.end();
    claims.add("tdx.xfam", good, expected, hex64(report.xfam), "the value is none of those that are expected");
  }
  one_of(claims, "tdx.mrtd", reference.mr_td, report.mr_td);
  one_of(claims, "tdx.mr_config_id", reference.mr_config_id, report.mr_config_id);
  one_of(claims, "tdx.mr_owner", reference.mr_owner, report.mr_owner);
  one_of(claims, "tdx.mr_owner_config", reference.mr_owner_config, report.mr_owner_config);
  if (report.is_15) one_of_or(claims, "tdx.mr_service_td", reference.mr_service_td, zeros, report.mr_service_td);
  one_of(claims, "tdx.platform", reference.platforms, quote.platform());
  Result<tpm::EventLog> log(fail(Code::not_found, "ccel"));
  const tpm::EventLog* replayed = judge_log(ccel, report.rtmr, log, claims);
  for (const RtmrReference& rtmr : reference.rtmrs) judge_rtmr(rtmr, report.rtmr[rtmr.index], replayed, claims);
  return claims.code;
}

void facts_of(const VerifiedQuote& quote, std::vector<Fact>& facts) {
  const TdReport& report = quote.report();
  auto add = [&facts](const char* name, std::string value) { facts.push_back({name, std::move(value)}); };
  add("tdx.quote_version", std::to_string(quote.version()));
  add("tdx.fmspc", to_hex(quote.pck().fmspc));
  add("tdx.platform", to_hex(quote.platform()));
  add("tdx.tee_tcb_svn", to_hex(report.tee_tcb_svn));
  if (quote.has_tcb()) {
    add("tdx.tcb_status", tcb_status_name(quote.tcb().status));
    add("tdx.tcb_evaluation", std::to_string(quote.tcb().evaluation));
    if (!quote.tcb().advisories.empty()) add("tdx.advisories", advisories_text(quote.tcb()));
  } else {
    add("tdx.tcb_status", "not judged: no collateral");
  }
  add("tdx.mrseam", to_hex(report.mr_seam));
  add("tdx.attributes", hex64(report.td_attributes));
  add("tdx.xfam", hex64(report.xfam));
  add("tdx.mrtd", to_hex(report.mr_td));
  for (size_t i = 0; i < kRtmrCount; ++i) add(("tdx.rtmr" + std::to_string(i)).c_str(), to_hex(report.rtmr[i]));
  add("tdx.mr_config_id", to_hex(report.mr_config_id));
}

}  // namespace cstl::tdx
