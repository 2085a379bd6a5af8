#include "svc/joinservice/keys.h"

#include "attest/atls/frame.h"
#include "svc/run/local_server.h"

namespace cstl {

Result<Key32> Keyservice::key(KeyClass key_class, std::string_view id) const {
  TRY_LET(Fd connection, connect_local(socket_));
  KeyRequest request;
  request.key_class = key_class;
  request.id = id;
  std::array<uint8_t, kMaxKeyId + 16> space{};
  TRY_LET(Bytes body, request.encode(space));
  TRY(send_frame(connection.get(), FrameType::key_request, body, timeout_ms_));
  TRY_LET(Frame answer, receive_frame(connection.get(), timeout_ms_));
  if (answer.type != FrameType::key_response) return fail(Code::frame_type, "keys.answer");
  TRY_LET(KeyResponse response, KeyResponse::decode(answer.body.declassify()));
  return std::move(response.key);
}

}  // namespace cstl
