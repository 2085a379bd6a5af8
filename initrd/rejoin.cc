// The rejoin child of initrd/unlock.h.
#include <ctime>
#include <map>
#include <unistd.h>

#include "attest/platform/platform.h"
#include "boot/join/client.h"
#include "crypto/base/log.h"
#include "initrd/children.h"
#include "initrd/unlock.h"
#include "svc/run/platform_brokers.h"

namespace cstl {
namespace {

constexpr int kAttemptMs = 30000;
constexpr unsigned kPauseSeconds = 3;
constexpr int kSayAgain = 20;  // rounds

}  // namespace

Status run_rejoin(int socket, const Metadata& metadata, const Uuid& disk) {
  PlatformDevices devices;
  devices.brokers = platform_brokers(PlatformPaths());
  TRY_LET(const auto platform, Platform::open(metadata.variant, PlatformPaths(), std::move(devices)));
  TRY_LET(const auto issuer, platform->attester());
  TRY_LET(const auto identity, TlsIdentity::create());
  std::string problem;
  auto accepted = accepted_from_joinservice(*issuer, kBakedReferenceValues, time(nullptr), &problem);
  if (!accepted) {
    log_error("rejoin.reference_values", accepted.error(), {{"problem", problem}});
    return accepted.error();
  }
  TRY(confine_self(kUnlockUid, kRejoinSeccomp));

  QuoteBatch batch(*issuer);
  JoinParty party;
  party.identity = identity.get();
  party.attester = &batch;
  party.accepted = &*accepted;
  std::map<std::string, Code> last;  // what each endpoint answered, so that only news are said
  for (int round = 0;; ++round) {
    for (const Endpoint& endpoint : metadata.join) {
      const std::string name = endpoint_text(endpoint);
      if (round == 0) log_info("rejoin.asking", {{"joinservice", name}});
      party.now = time(nullptr);
      std::string explanation;
      auto ticket = rejoin(endpoint, party, disk, kAttemptMs, &explanation);
      if (!ticket) {
        if (last[name] != ticket.code() || round % kSayAgain == 0)
          log_error("rejoin.refused", ticket.error(), {{"joinservice", name}, {"peer_says", explanation}});
        last[name] = ticket.code();
        continue;
      }
      TRY(send_keys(socket, ticket->disk_key, ticket->measurement_key));
      TRY_LET(const Code answer, receive_code(socket));
      if (answer == Code::ok) return success();
      log_error("rejoin.key_refused", fail(answer, "rejoin.ticket"), {{"joinservice", name}});
    }
    sleep(kPauseSeconds);
  }
}

}  // namespace cstl
