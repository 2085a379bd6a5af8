#include "fuzz/again.h"
#include "svc/wire/join.h"

using namespace cstl;

// join_request, join_ticket, rejoin_request, rejoin_ticket.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Bytes body = Bytes(data, size).skip(1);
  if (data[0] == 0) decode_again<JoinRequest>(body);
  if (data[0] == 1) decode_secret_again<JoinTicket>(body);
  if (data[0] == 2) decode_again<RejoinRequest>(body);
  if (data[0] == 3) decode_secret_again<RejoinTicket>(body);
  return 0;
}
