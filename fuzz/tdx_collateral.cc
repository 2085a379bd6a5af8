#include <cstdlib>

#include "attest/tdx/collateral.h"

// Stapled collateral, an answer of Intel's service, and the objects inside: one encoding, and nothing that is unsigned
// passes. The input is tried as each of them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  using namespace cstl::tdx;
  Bytes input(data, size);
  std::string problem;
  if (auto staple = Collateral::decode(input); staple.ok()) {
    std::vector<uint8_t> again(kMaxCollateral);
    auto written = staple->encode(again);
    if (!written.ok() || !equal(*written, input)) abort();
    const Digest32 nobody{};
    if (verify_collateral(*staple, Trust{&nobody, 1, 1'800'000'000}, &problem).ok()) abort();
    for (Bytes answer : {staple->tcb_info, staple->qe_identity}) {
      auto info = signed_object(answer, "tcbInfo");
      if (info.ok()) (void)TcbInfo::parse(info->object.text(), &problem);
      auto identity = signed_object(answer, "enclaveIdentity");
      if (identity.ok()) (void)QeIdentity::parse(identity->object.text(), &problem);
    }
  }
  for (std::string_view name : {std::string_view("tcbInfo"), std::string_view("enclaveIdentity")}) {
    auto object = signed_object(input, name);
    if (!object.ok()) continue;
    std::string again = "{\"" + std::string(name) + "\":" + std::string(object->object.text()) + ",\"signature\":\"" +
                        to_hex(object->signature) + "\"}";
    if (again != input.text()) abort();
  }
  if (auto info = TcbInfo::parse(input.text(), &problem); info.ok() && info->levels.empty()) abort();
  if (auto identity = QeIdentity::parse(input.text(), &problem); identity.ok() && identity->levels.empty()) abort();
  return 0;
}
