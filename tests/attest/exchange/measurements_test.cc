#include "attest/exchange/measurements.h"

#include <doctest/doctest.h>

using namespace cstl;

namespace {
nlohmann::json json(const std::string& text) { return nlohmann::json::parse(text, nullptr, false); }

const std::string kHash(64, 'a');
const std::string kLong(96, 'b');
const std::string kMap = R"({"4": {"expected": ")" + kHash + R"(", "warnOnly": false}, "1": {"expected": ")" + kHash +
                         R"(", "warnOnly": true}, "15": {"expected": ")" + std::string(64, '0') + R"(", "warnOnly": false}})";
}  // namespace

TEST_CASE("a map of measurements becomes PCRs; what is the cluster's stays out") {
  std::string problem;
  auto read = read_measurements(json(kMap), Variant::qemu_vtpm, &problem);
  REQUIRE_MESSAGE(read.ok(), problem);
  ReferenceSet set;
  REQUIRE(apply_measurements(*read, &set, &problem).ok());
  REQUIRE(set.pcrs.size() == 2);
  CHECK(set.pcrs[0].index == 1);
  CHECK(!set.pcrs[0].enforce);
  CHECK(set.pcrs[1].index == 4);
  CHECK(set.pcrs[1].enforce);
  CHECK(to_hex(set.pcrs[1].expected.front()) == kHash);
}

TEST_CASE("of an image's file, the entry of the variant is taken") {
  std::string text = R"({"version": "v2.25.0", "ref": "-", "stream": "stable", "list": [
    {"csp": "AWS", "attestationVariant": "aws-nitro-tpm", "measurements": {"4": {"expected": ")" + std::string(64, 'c') +
                     R"("}}}, {"csp": "QEMU", "attestationVariant": "qemu-vtpm", "measurements": )" + kMap + "}]}";
  std::string problem;
  auto read = read_measurements(json(text), Variant::qemu_vtpm, &problem);
  REQUIRE_MESSAGE(read.ok(), problem);
  CHECK(read->size() == 2);
  CHECK(read_measurements(json(text), Variant::gcp_sev_es, &problem).code() == Code::variant_unknown);
  CHECK(problem.find("gcp-sev-es") != std::string::npos);
}

TEST_CASE("of qemu-tdx, index 0 is MRTD and the others are RTMRs") {
  auto entry = [](const char* index) {
    return "\"" + std::string(index) + R"(": {"expected": ")" + kLong + R"(", "warnOnly": false})";
  };
  std::string text = "{" + entry("0") + "," + entry("1") + "," + entry("2") + "," + entry("3") + "," + entry("4") + "}";
  std::string problem;
  auto read = read_measurements(json(text), Variant::qemu_tdx, &problem);
  REQUIRE_MESSAGE(read.ok(), problem);
  ReferenceSet set;
  set.variant = Variant::qemu_tdx;
  REQUIRE(apply_measurements(*read, &set, &problem).ok());
  REQUIRE(set.tdx.has_value());
  CHECK(set.tdx->mr_td.size() == 1);
  REQUIRE(set.tdx->rtmrs.size() == 2);
  CHECK(set.tdx->rtmrs[0].index == 0);
  CHECK(set.tdx->rtmrs[1].index == 1);
  auto back = measurements_of(set, &problem);
  REQUIRE(back.ok());
  CHECK(back->size() == 3);
}

TEST_CASE("what is written reads back, in both forms") {
  std::string problem;
  auto read = read_measurements(json(kMap), Variant::azure_sev_snp, &problem);
  REQUIRE(read.ok());
  ImageLabel label{"v1", "-", "stable"};
  for (const ImageLabel* image : {static_cast<const ImageLabel*>(nullptr), static_cast<const ImageLabel*>(&label)}) {
    std::string text = write_measurements(*read, Variant::azure_sev_snp, image);
    auto again = read_measurements(json(text), Variant::azure_sev_snp, &problem);
    REQUIRE_MESSAGE(again.ok(), problem);
    CHECK(write_measurements(*again, Variant::azure_sev_snp, image) == text);
    CHECK((image == nullptr) == (text.find("\"csp\": \"Azure\"") == std::string::npos));
  }
}

TEST_CASE("files of another form are refused, and the place is named") {
  struct Row {
    std::string text;
    const char* problem;
  };
  for (const Row& row : {
           Row{"[]", "map"},
           Row{"{}", "enforced"},  // the empty map, which enforces nothing
           Row{R"({"4": {"expected": ")" + kHash + R"(", "warnOnly": true}})", "enforced"},
           Row{R"({"15": {"expected": ")" + kHash + R"(", "warnOnly": false}})", "enforced"},
           Row{R"({"24": {"expected": ")" + kHash + "\"}}", "index"},
           Row{R"({"04": {"expected": ")" + kHash + "\"}}", "index"},
           Row{R"({"x": {"expected": ")" + kHash + "\"}}", "index"},
           Row{R"({"4": {"expected": "aa"}})", "4.expected"},
           Row{R"({"4": {"expected": ")" + kLong + "\"}}", "4.expected"},
           Row{R"({"4": {"expected": ")" + kHash + R"(", "warnOnly": "no"}})", "4.warnOnly"},
           Row{R"({"4": {"expected": ")" + kHash + R"(", "warn": true}})", "unknown"},
           Row{R"({"list": {}})", "list"},
           Row{R"({"list": [{"csp": "x"}]})", "attestationVariant"},
       }) {
    CAPTURE(row.text);
    std::string problem;
    CHECK(read_measurements(json(row.text), Variant::qemu_vtpm, &problem).code() == Code::measurements_malformed);
    CHECK(problem.find(row.problem) != std::string::npos);
  }
}

TEST_CASE("an index that accepts several values has no measurement") {
  ReferenceSet set;
  PcrReference pcr;
  pcr.expected = {Digest32{}, Digest32{1}};
  set.pcrs.push_back(pcr);
  std::string problem;
  CHECK(measurements_of(set, &problem).code() == Code::unsupported);
  CHECK(problem == "index 0 accepts several values");
}
