// The operator's side of tests/e2e/disk_test.sh: recovers the disk of the machine at ENDPOINT.
//   disk_recover ENDPOINT right|owner|key|cluster     the last three lie about one thing
// Prints the code of the outcome.
#include <cstdio>
#include <cstring>
#include <string>

#include "attest/atls/session.h"
#include "svc/wire/recover.h"
#include "tests/e2e/disk_secret.h"

namespace cstl::test {
namespace {

Status run(const char* endpoint, std::string_view lie) {
  TRY_LET(Fd fd, connect_tcp(endpoint, 5000));
  TRY_LET(const auto identity, TlsIdentity::create());
  SessionConfig config;
  config.identity = identity.get();
  config.request_ms = 120000;
  TRY_LET(const auto session, Session::create(std::move(fd), config));
  TRY(drive_to_open(*session, nullptr));
  TRY(session->send(FrameType::recover_query, Bytes()));
  TRY_LET(const Frame frame, drive_to_frame(*session, FrameType::recover_info));
  TRY_LET(const RecoverInfo info, RecoverInfo::decode(frame.body.declassify()));
  RecoverRequest request;
  TRY_LET(request.disk_key, derive_key(disk_test_master(), KeyClass::disk, uuid_text(info.disk)));
  TRY_LET(request.measurement_key, derive_key(disk_test_master(), KeyClass::cluster_measurement, ""));
  if (lie == "key") request.disk_key.fill().data()[0] ^= 1;
  if (lie == "cluster") request.measurement_key.fill().data()[0] ^= 1;
  auto owner = lie == "owner" ? SigningKey::generate() : disk_test_owner();
  if (!owner) return owner.error();
  TRY_LET(const SecretBuffer body, RecoverRequest::encode(request, *owner, session->exporter()));
  TRY(session->send(FrameType::recover_request, body.declassify()));
  TRY_LET(const Frame done, drive_to_frame(*session, FrameType::recover_done));
  return success();
}

}  // namespace
}  // namespace cstl::test

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "passphrase") == 0) {  // of the disk with this UUID
    auto key = cstl::derive_key(cstl::test::disk_test_master(), cstl::KeyClass::disk, argv[2]);
    if (!key) return 1;
    std::printf("%s", std::string(cstl::disk_passphrase(*key).declassify().text()).c_str());
    return 0;
  }
  if (argc != 3) return 2;
  const cstl::Status status = cstl::test::run(argv[1], argv[2]);
  cstl::Code code = status.code();
  if (code == cstl::Code::peer_error) code = cstl::code_from_number(static_cast<uint16_t>(status.error().foreign));
  std::printf("%s\n", cstl::code_name(code));
  return status.ok() ? 0 : 1;
}
