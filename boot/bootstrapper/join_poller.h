// Asks the metadata's joinservices for a ticket, one after the other, again and again, until one grants it: the other way
// into a cluster besides init. After a full round it waits, longer each time (1 s to 15 s).
#pragma once

#include <functional>

#include "boot/join/client.h"
#include "boot/metadata/metadata.h"
#include "svc/run/loop.h"

namespace cstl {

struct JoinPollerConfig {
  const Metadata* metadata = nullptr;      // outlives the poller
  JoinParty party;
  Uuid disk{};
  NodeOffer offer;
  // Called inside of dispatch(), once: enter in a later turn.
  std::function<void(const Endpoint&, Joined)> on_ticket;
  std::function<void(const Endpoint&, const Error&, const std::string& explanation)> on_failed;
};

class JoinPoller final : public Participant {
 public:
  explicit JoinPoller(JoinPollerConfig config) : config_(std::move(config)) {}
  // Ends the attempt that is under way; no ticket comes after it.
  void stop();

  void prepare(PollSet& set) override;
  void dispatch(const PollSet& set) override;

 private:
  void advance();
  void failed(const Error& error, const std::string& explanation);

  JoinPollerConfig config_;
  std::unique_ptr<JoinAttempt> attempt_;
  size_t next_ = 0;                        // endpoint of the current or next attempt
  int64_t not_before_ = 0;
  int pause_ms_ = 1000;
  bool stopped_ = false;
};

}  // namespace cstl
