#include "attest/evidence.h"

#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;

namespace {
Buffer item(uint16_t tag, const Buffer& value) {
  Buffer out(6 + value.size());
  Writer w(out);
  w.u16(tag);
  w.bytes32(value);
  REQUIRE(w.finish().ok());
  return out;
}

struct Raw {
  uint16_t tag;
  Buffer value;
};

std::vector<Raw> full() {
  return {{1, {1}},
          {2, Buffer(10, 2)},
          {3, Buffer(10, 3)},
          {4, Buffer(10, 4)},
          {5, Buffer(10, 5)},
          {6, Buffer(10, 6)},
          {7, Buffer(kPcrValues, 7)},
          {8, Buffer(10, 8)},
          {9, Buffer(8, 9)}};
}

Code decode(const std::vector<Raw>& items) {
  Buffer all;
  for (const Raw& raw : items) {
    Buffer one = item(raw.tag, raw.value);
    all.insert(all.end(), one.begin(), one.end());
  }
  Result<Evidence> decoded = Evidence::decode(all);
  if (!decoded.ok()) return decoded.code();
  Buffer out(kMaxEvidence);
  Result<Bytes> again = decoded->encode(out);
  REQUIRE(again.ok());
  CHECK(equal(*again, all));
  return Code::ok;
}

std::vector<Raw> without(uint16_t tag) {
  std::vector<Raw> out;
  for (const Raw& raw : full()) {
    if (raw.tag != tag) out.push_back(raw);
  }
  return out;
}

std::vector<Raw> with(uint16_t tag, const Buffer& value) {
  std::vector<Raw> out = full();
  for (Raw& raw : out) {
    if (raw.tag == tag) raw.value = value;
  }
  return out;
}
}  // namespace

TEST_CASE("evidence: every rule of its form") {
  std::vector<Raw> swapped = full();
  std::swap(swapped[2], swapped[3]);
  std::vector<Raw> twice = full();
  twice.insert(twice.begin() + 2, twice[1]);
  std::vector<Raw> unknown = full();
  unknown.push_back({17, {1}});
  std::vector<Raw> foreign = full();
  foreign.push_back({11, {1}});
  std::vector<Raw> late = without(1);
  late.push_back({1, {1}});
  std::vector<Raw> no_ek = without(5);
  struct Row {
    const char* name;
    std::vector<Raw> items;
    Code code;
  };
  const Row rows[] = {
      {"all items", full(), Code::ok},
      {"no event log", without(8), Code::ok},
      {"an endorsement without a chain", without(6), Code::ok},
      {"a chain without an endorsement", no_ek, Code::evidence_malformed},
      {"no variant", without(1), Code::evidence_malformed},
      {"no quote", without(2), Code::evidence_malformed},
      {"no signature", without(3), Code::evidence_malformed},
      {"no AK", without(4), Code::evidence_malformed},
      {"no PCR values", without(7), Code::evidence_malformed},
      {"no merkle path", without(9), Code::evidence_malformed},
      {"nothing", {}, Code::truncated},
      {"items out of order", swapped, Code::evidence_malformed},
      {"an item twice", twice, Code::evidence_malformed},
      {"an unknown tag", unknown, Code::evidence_malformed},
      {"an item of other variants", foreign, Code::evidence_malformed},
      {"the variant last", late, Code::evidence_malformed},
      {"an unknown variant", with(1, {99}), Code::variant_unknown},
      {"variant 0", with(1, {0}), Code::variant_unknown},
      {"a variant of two bytes", with(1, {1, 1}), Code::too_long},
      {"an empty variant", with(1, {}), Code::evidence_malformed},
      {"an empty quote", with(2, {}), Code::evidence_malformed},
      {"an empty event log", with(8, {}), Code::evidence_malformed},
      {"the longest quote", with(2, Buffer(kMaxQuote)), Code::ok},
      {"a quote too long", with(2, Buffer(kMaxQuote + 1)), Code::too_long},
      {"a signature too long", with(3, Buffer(kMaxTpmSignature + 1)), Code::too_long},
      {"an AK too long", with(4, Buffer(kMaxTpmPublic + 1)), Code::too_long},
      {"a certificate too long", with(5, Buffer(8193)), Code::too_long},
      {"a chain too long", with(6, Buffer(kMaxCertificateChain + 1)), Code::too_long},
      {"too few PCR values", with(7, Buffer(kPcrValues - 32)), Code::evidence_malformed},
      {"too many PCR values", with(7, Buffer(kPcrValues + 32)), Code::too_long},
      {"the longest event log", with(8, Buffer(kMaxEventLog)), Code::ok},
      {"an event log too long", with(8, Buffer(kMaxEventLog + 1)), Code::too_long},
      {"a merkle path too long", with(9, Buffer(8 + kMaxMerklePath + 1)), Code::too_long},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    CHECK(named(decode(row.items)) == named(row.code));
  }
  CHECK(Evidence::decode(Buffer(kMaxEvidence + 1)).code() == Code::too_long);
}

// docs_test.cc holds every variant to the tables of docs/wire/evidence.md; these are the rules that are not in them.
TEST_CASE("evidence: a machine without TPM") {
  const Raw merkle{9, Buffer(8, 9)}, report{11, Buffer(1184, 11)}, registers{16, Buffer(32, 16)};
  auto variant = [](Variant v) { return Raw{1, {static_cast<uint8_t>(v)}}; };
  struct Row {
    const char* name;
    std::vector<Raw> items;
    Code code;
  };
  const Row rows[] = {
      {"sev-snp", {variant(Variant::sev_snp), merkle, report, registers}, Code::ok},
      {"sev-snp without register", {variant(Variant::sev_snp), merkle, report}, Code::evidence_malformed},
      {"sev-snp with a short register", {variant(Variant::sev_snp), merkle, report, {16, Buffer(31)}},
       Code::evidence_malformed},
      {"sev-snp with a long register", {variant(Variant::sev_snp), merkle, report, {16, Buffer(33)}}, Code::too_long},
      {"sev-snp with a quote", {variant(Variant::sev_snp), {2, {1}}, merkle, report, registers},
       Code::evidence_malformed},
      {"tdx", {variant(Variant::tdx), merkle, report}, Code::ok},
      {"tdx with a register", {variant(Variant::tdx), merkle, report, registers}, Code::evidence_malformed},
      {"qemu-tdx with an event log", {variant(Variant::qemu_tdx), merkle, report, {15, {1}}}, Code::ok},
      {"qemu-tdx without a quote", {variant(Variant::qemu_tdx), merkle}, Code::evidence_malformed},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    CHECK(named(decode(row.items)) == named(row.code));
  }
}

TEST_CASE("evidence: a cut in the middle of an item is refused") {
  Buffer all = Parts::of("ecc").endorsed().encode();
  REQUIRE(Evidence::decode(all).ok());
  for (size_t n = 0; n < all.size(); ++n) {
    Result<Evidence> cut = Evidence::decode(Bytes(all).first(n));
    CHECK(!cut.ok());
  }
}

TEST_CASE("evidence: the encoder refuses what does not fit") {
  Parts parts = Parts::of("ecc");
  Buffer small(100);
  CHECK(parts.view().encode(small).code() == Code::too_long);
  parts.quote.resize(kMaxQuote + 1);
  Buffer large(kMaxEvidence);
  CHECK(parts.view().encode(large).code() == Code::too_long);
}

TEST_CASE("variant: numbers and names lead to each other") {
  for (uint8_t number = 0; number < 255; ++number) {
    Result<Variant> variant = variant_from_number(number);
    CHECK(variant.ok() == (number >= 1 && number <= 13));
    if (!variant.ok()) continue;
    Result<Variant> named = variant_from_name(variant_name(*variant));
    REQUIRE(named.ok());
    CHECK(*named == *variant);
    CHECK(variant_bit(*variant) == VariantSet{1} << (number - 1));
    CHECK(variant_implemented(*variant));
  }
  CHECK(variant_from_name("QEMU-VTPM").code() == Code::variant_unknown);
}
