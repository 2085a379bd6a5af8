#include "boot/bootstrapper/monitor.h"

#include "attest/atls/frame.h"

namespace cstl {
namespace {

constexpr int kSendMs = 5000;
constexpr int kRekeyMs = 180000;  // two runs of argon2id and durable writes of the header, in slow emulation
constexpr int kStartMs = 60000;   // an earlier one of that name gets its time to end

}  // namespace

Status Monitor::rekey(const Key32& disk_key, const P256Point& owner_key) {
  if (!socket_.valid()) return fail(Code::unsupported, "monitor.absent");
  RekeyRequest request;
  request.disk_key = disk_key.clone();
  request.owner_key = owner_key;
  TRY_LET(SecretBuffer body, request.encode());
  TRY(send_frame(socket_.get(), FrameType::rekey_request, body.declassify(), kSendMs));
  TRY_LET(Frame answer, receive_frame(socket_.get(), kRekeyMs));
  if (answer.type != FrameType::rekey_done) return fail(Code::frame_type, "monitor.rekey");
  if (answer.body.size() != 0) return fail(Code::trailing, "monitor.rekey");
  return success();
}

Status Monitor::power(PowerAction action) {
  if (!socket_.valid()) return fail(Code::unsupported, "monitor.absent");
  PowerRequest request;
  request.action = action;
  uint8_t space[8];
  TRY_LET(Bytes body, request.encode(MutBytes(space, sizeof space)));
  return send_frame(socket_.get(), FrameType::power_request, body, kSendMs);
}

Status Monitor::start(std::string name, std::vector<std::string> arguments) {
  if (!socket_.valid()) return fail(Code::unsupported, "monitor.absent");
  StartRequest request;
  request.name = std::move(name);
  request.arguments = std::move(arguments);
  std::vector<uint8_t> space(kMaxProgramName + kMaxArgumentBytes + 6);
  TRY_LET(Bytes body, request.encode(space));
  TRY(send_frame(socket_.get(), FrameType::start_request, body, kSendMs));
  TRY_LET(Frame answer, receive_frame(socket_.get(), kStartMs));
  if (answer.type != FrameType::start_done) return fail(Code::frame_type, "monitor.start");
  return success();
}

}  // namespace cstl
