// Attestation documents from a NitroTPM, from the request's bytes to the verified document: a real software TPM, with
// the vendor's command answered in front of it.
#include "attest/aws/issue.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "attest/aws/document.h"
#include "attest/tpm/device.h"
#include "crypto/base/log.h"
#include "crypto/x509.h"
#include "tests/harness/nitro_tpm.h"

namespace cstl {
namespace {

using test::NitroTpm;
using test::NitroTpmFaults;

const Digest32 kNonce{0x4e};

struct Instance {
  test::CloudAuthority authority{"Nitro root"};
  test::NitroHypervisor hypervisor{authority};
  NitroTpm tpm{test::Swtpm::shared(), hypervisor, facts()};

  static test::NitroHypervisor::Facts facts() {
    test::NitroHypervisor::Facts out;
    out.pcrs[4].fill(4);
    return out;
  }
  static Instance& one() {
    static Instance out;
    return out;
  }
};

Result<std::vector<uint8_t>> ask(const std::string& device, Bytes user_data) {
  TRY_LET(auto tpm, tpm::Device::open(device));
  return aws::nitro_documents(*tpm)(kNonce, user_data);
}

TEST_CASE("the request is the CBOR that AWS's own tool writes") {
  // {"Attestation": {"user_data": h'0102', "nonce": h'4e00…', "public_key": null}}, by RFC 8949's diagnostic notation.
  std::vector<uint8_t> expected{0xa1, 0x6b, 'A', 't', 't', 'e', 's', 't', 'a', 't', 'i', 'o', 'n', 0xa3, 0x69,
                                'u',  's',  'e', 'r', '_', 'd', 'a', 't', 'a', 0x42, 1,   2,   0x65, 'n', 'o',
                                'n',  'c',  'e', 0x58, 32};
  expected.insert(expected.end(), kNonce.begin(), kNonce.end());
  expected.insert(expected.end(), {0x6a, 'p', 'u', 'b', 'l', 'i', 'c', '_', 'k', 'e', 'y', 0xf6});
  std::array<uint8_t, 256> space{};
  auto request = aws::encode_request(kNonce, std::vector<uint8_t>{1, 2}, space);
  REQUIRE(request.ok());
  CHECK(request->copy() == expected);
  CHECK(aws::encode_request(kNonce, std::vector<uint8_t>(1025), space).code() == Code::too_long);
}

TEST_CASE("a document over the nonce and the user data comes back, and the message buffer is gone") {
  Instance& instance = Instance::one();
  for (size_t size : {size_t{0}, size_t{1}, size_t{23}, size_t{24}, size_t{255}, size_t{256}, size_t{1024}}) {
    CAPTURE(size);
    const std::vector<uint8_t> user_data(size, 0x75);
    auto document = ask(instance.tpm.device(), user_data);
    INFO(describe(document.error()));
    REQUIRE(document.ok());
    const NitroTpm::Request request = instance.tpm.last();
    CHECK(request.nonce == Bytes(kNonce).copy());
    CHECK(request.user_data == user_data);
    CHECK(request.largest_write <= 512);  // what every TPM's buffer holds
    CHECK(instance.tpm.indices() == 0);
    auto read = aws::Document::decode(*document);
    REQUIRE(read.ok());
    CHECK(read->nonce.copy() == request.nonce);
    CHECK(read->user_data.copy() == user_data);
    CHECK(read->pcrs[4][47] == 4);
  }
}

TEST_CASE("in evidence the document vouches for the AK of the quote, in this session only") {
  Instance& instance = Instance::one();
  auto device = tpm::Device::open(instance.tpm.device());
  REQUIRE(device.ok());
  auto source = aws::document_source(aws::nitro_documents(**device));
  const std::vector<uint8_t> ak{1, 2, 3};
  Evidence evidence;
  evidence.ak_public = ak;
  REQUIRE(source->add(kNonce, evidence).ok());
  auto pin = certificate_spki_hash(instance.authority.root());
  REQUIRE(pin.ok());
  const ChainPolicy roots{&*pin, 1, test::kCloudValidFrom + 1};
  aws::DocumentStep step{};
  auto verified = aws::verify_document(evidence.runtime_data, roots, kNonce, ak, step);
  INFO(aws::document_step_name(step));
  REQUIRE(verified.ok());
  CHECK(verified->pcr(4)[0] == 4);
  CHECK(aws::verify_document(evidence.runtime_data, roots, Digest32{1}, ak, step).code() == Code::quote_nonce);
  CHECK(aws::verify_document(evidence.runtime_data, roots, kNonce, Bytes(), step).code() == Code::ak_mismatch);
}

TEST_CASE("every refusal is an error of its own, and leaves no index behind") {
  struct Row {
    const char* name;
    NitroTpmFaults faults;
    Code code;
    const char* site;
  };
  auto code_of = [](uint32_t code) {
    NitroTpmFaults out;
    out.request_code = code;
    return out;
  };
  auto defining = [](uint32_t code) {
    NitroTpmFaults out;
    out.define_code = code;
    return out;
  };
  auto refused = [](const char* name) {
    NitroTpmFaults out;
    out.refusal = name;
    return out;
  };
  auto answered = [](std::vector<uint8_t> answer) {
    NitroTpmFaults out;
    out.answer = std::move(answer);
    return out;
  };
  NitroTpmFaults cut;
  cut.cut_response = true;
  std::vector<uint8_t> long_document{0xa1, 0x6b};
  for (char c : std::string("Attestation")) long_document.push_back(static_cast<uint8_t>(c));
  long_document.insert(long_document.end(), {0xa1, 0x68, 'd', 'o', 'c', 'u', 'm', 'e', 'n', 't', 0x59, 0xff, 0xff});
  const Row rows[] = {
      {"the instance has no such command", code_of(0x143), Code::unsupported, "nitro.command"},
      {"the kernel knows no such command", code_of(0x000b0143), Code::unsupported, "nitro.command"},
      {"the TPM fails", code_of(0x101), Code::tpm_failed, "nitro.request"},
      {"the TPM is locked out", code_of(0x921), Code::tpm_failed, "nitro.request"},
      {"no index is that large", defining(0x2d5), Code::unsupported, "nitro.define"},
      {"the NV is full", defining(0x14b), Code::tpm_failed, "nitro.define"},
      {"the response is cut", cut, Code::tpm_failed, "nitro.receive"},
      {"the hypervisor refuses an argument", refused("InvalidArgument"), Code::tpm_failed, "nitro.invalid_argument"},
      {"the hypervisor fails", refused("InternalError"), Code::tpm_failed, "nitro.internal_error"},
      {"the hypervisor refuses by an unknown name", refused("NotToday"), Code::tpm_failed, "nitro.refused"},
      {"the answer is the request", answered({0xa1, 0x61, 'x', 0xf6}), Code::document_malformed, "nitro.answer"},
      {"the answer is nothing", answered({0xff}), Code::document_malformed, "nitro.answer"},
      {"the document is longer than the buffer", answered(long_document), Code::document_malformed, "nitro.answer"},
  };
  Instance& instance = Instance::one();
  for (const Row& row : rows) {
    CAPTURE(row.name);
    instance.tpm.behave(row.faults);
    auto document = ask(instance.tpm.device(), std::vector<uint8_t>(32));
    CHECK(std::string(code_name(document.code())) == code_name(row.code));
    CHECK(std::string(document.error().site) == row.site);
    CHECK(instance.tpm.indices() == 0);
  }
  instance.tpm.behave({});
  CHECK(ask(instance.tpm.device(), std::vector<uint8_t>(32)).ok());
}

TEST_CASE("a TPM that is no NitroTPM has no documents, and evidence goes without") {
  auto device = tpm::Device::open(test::Swtpm::shared().device());
  REQUIRE(device.ok());
  CHECK(aws::nitro_documents(**device)(kNonce, Bytes()).code() == Code::unsupported);
  auto source = aws::document_source(aws::nitro_documents(**device));
  Evidence evidence;
  CHECK(source->add(kNonce, evidence).ok());
  CHECK(evidence.runtime_data.empty());
}

}  // namespace
}  // namespace cstl
