// /dev/sev-guest as a program meets it: real ioctl() calls, answered as the kernel, the host and the firmware would.
#include "tests/harness/sev_guest.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "attest/platform/ak.h"
#include "attest/platform/sources.h"
#include "attest/snp/report.h"
#include "attest/snp/verify.h"
#include "attest/tsm/report_device.h"
#include "tests/harness/snp_platform.h"

namespace cstl {
namespace {

using test::SevAnswer;
using test::SevCalls;
using test::SnpChip;

const Digest64 kData{0xd4, 0x41};

// The test opens /dev/null in the device's place: its ioctls never get there.
struct Seen {
  Code code = Code::internal;
  std::string site;
  int64_t foreign = 0;
  tsm::Report report;
  SevCalls calls;
};

Seen ask(const test::SevFirmware& firmware) {
  Seen out;
  out.calls = test::with_sev_guest(firmware, [&out] {
    auto device = tsm::open_sev_guest("/dev/null");
    if (!device.ok()) return;
    auto report = (*device)->report(kData);
    out.code = report.code();
    if (report.ok()) {
      out.report = std::move(*report);
    } else {
      out.site = report.error().site;
      out.foreign = report.error().foreign;
    }
  });
  return out;
}

const SnpChip& chip() {
  static SnpChip out(snp::Product::genoa);
  return out;
}

SevAnswer signed_answer(const Digest64& data, uint32_t vmpl) {
  snp::Report report = chip().report();
  report.report_data = data;
  report.vmpl = vmpl;
  SevAnswer out;
  out.report = chip().sign(report);
  return out;
}

TEST_CASE("the report is over the data that were given, at level 0, and the host's certificates come with it") {
  const std::vector<uint8_t> table(5000, 0x5a);
  Seen seen = ask([&table](const Digest64& data, uint32_t vmpl) {
    SevAnswer out = signed_answer(data, vmpl);
    out.certificates = table;
    return out;
  });
  REQUIRE(seen.code == Code::ok);
  CHECK(seen.calls.extended == 1);
  CHECK(seen.calls.reports == 0);
  auto report = snp::Report::decode(seen.report.bytes);
  REQUIRE(report.ok());
  CHECK(report->report_data == kData);
  CHECK(report->vmpl == 0);
  REQUIRE(seen.report.certificates.size() >= table.size());
  CHECK(std::equal(table.begin(), table.end(), seen.report.certificates.begin()));
  for (size_t at = table.size(); at < seen.report.certificates.size(); ++at) REQUIRE(seen.report.certificates[at] == 0);
}

TEST_CASE("the largest table that the kernel passes on still comes; of a larger one the report comes without") {
  for (size_t size : {size_t{16384}, size_t{16385}, size_t{65536}}) {
    CAPTURE(size);
    Seen seen = ask([size](const Digest64& data, uint32_t vmpl) {
      SevAnswer out = signed_answer(data, vmpl);
      out.certificates.assign(size, 1);
      return out;
    });
    REQUIRE(seen.code == Code::ok);
    CHECK(seen.report.certificates.size() == (size > 16384 ? 0 : size));
    CHECK(seen.calls.reports == (size > 16384 ? 1 : 0));
    CHECK(snp::Report::decode(seen.report.bytes)->report_data == kData);
  }
}

TEST_CASE("a busy host is asked again, not for ever") {
  unsigned asked = 0;
  Seen late = ask([&asked](const Digest64& data, uint32_t vmpl) {
    SevAnswer out = signed_answer(data, vmpl);
    out.busy = ++asked < 4;
    return out;
  });
  CHECK(late.code == Code::ok);
  CHECK(late.calls.extended == 4);

  Seen never = ask([](const Digest64&, uint32_t) {
    SevAnswer out;
    out.busy = true;
    return out;
  });
  CHECK(never.code == Code::tee_failed);
  CHECK(never.site == "sev_guest.busy");
  CHECK(never.calls.extended == 8);

  // The kernel has waited already.
  Seen long_wait = ask([](const Digest64&, uint32_t) {
    SevAnswer out;
    out.busy_for_long = true;
    return out;
  });
  CHECK(long_wait.code == Code::tee_failed);
  CHECK(long_wait.site == "sev_guest.host");
  CHECK(long_wait.foreign == ETIMEDOUT);
  CHECK(long_wait.calls.extended == 1);
}

TEST_CASE("every refusal is an error, and says whose it is") {
  struct Row {
    const char* name;
    void (*change)(SevAnswer&);
    const char* site;
    int64_t foreign;
  };
  const Row rows[] = {
      {"firmware finds a parameter invalid", [](SevAnswer& a) { a.firmware = 0x16; }, "sev_guest.firmware", EIO},
      {"firmware has no key for the level", [](SevAnswer& a) { a.firmware = 0x27; }, "sev_guest.firmware", EIO},
      {"the kernel has disabled the channel", [](SevAnswer& a) { a.error = ENOTTY; }, "sev_guest.report", ENOTTY},
      {"the kernel finds no memory", [](SevAnswer& a) { a.error = ENOMEM; }, "sev_guest.report", ENOMEM},
      {"the response carries a status", [](SevAnswer& a) { a.status = 0x16; }, "sev_guest.status", 0},
      {"the report is short", [](SevAnswer& a) { a.report_size = 1183; }, "sev_guest.size", 0},
      {"the report is long", [](SevAnswer& a) { a.report_size = 4000; }, "sev_guest.size", 0},
      {"there is no report", [](SevAnswer& a) { a.report_size = 0; }, "sev_guest.size", 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Seen seen = ask([&row](const Digest64& data, uint32_t vmpl) {
      SevAnswer out = signed_answer(data, vmpl);
      row.change(out);
      return out;
    });
    CHECK(seen.code == Code::tee_failed);
    CHECK(seen.site == row.site);
    CHECK(seen.foreign == row.foreign);
    CHECK(seen.calls.extended == 1);
  }
}

TEST_CASE("where there is no such device, or another one, the error says so") {
  CHECK(tsm::open_sev_guest("/dev/there-is-none").code() == Code::tee_missing);
  auto other = tsm::open_sev_guest("/dev/null");
  REQUIRE(other.ok());
  auto report = (*other)->report(kData);
  CHECK(report.code() == Code::tee_failed);
  CHECK(report.error().foreign == ENOTTY);
}

TEST_CASE("what goes into evidence verifies, over the data that a verifier computes for itself") {
  Evidence evidence;
  evidence.variant = Variant::sev_snp;
  const Digest32 qualifier{7};
  Code added = Code::internal;
  std::vector<uint8_t> report, certificates;
  test::with_sev_guest(signed_answer, [&] {
    auto device = tsm::open_sev_guest("/dev/null");
    if (!device.ok()) return;
    auto source = snp_source(**device, nullptr, {});
    added = source->add(qualifier, evidence).code();
    report = evidence.tee_report.copy();
    certificates = evidence.tee_certificates.copy();
  });
  REQUIRE(added == Code::ok);
  CHECK(certificates.empty());  // this host gave none: its table was empty
  auto expected = tee_report_data(qualifier, Bytes(), Bytes());
  REQUIRE(expected.ok());
  snp::ReportStep step{};
  const snp::VerifyPolicy policy{test::snp_test_roots(), test::kSnpValidFrom + 1};
  const std::vector<test::Der>& chain = chip().certificates();
  CHECK(snp::verify_report(report, test::views(chain), policy, *expected, step).ok());
  expected->at(0) ^= 1;
  CHECK(snp::verify_report(report, test::views(chain), policy, *expected, step).code() == Code::snp_report_data);
}

}  // namespace
}  // namespace cstl
