#include "boot/bootstrapper/waiter.h"

#include <ctime>

#include "attest/platform/platform.h"
#include "crypto/base/log.h"
#include "svc/run/lockdown.h"
#include "svc/run/platform_brokers.h"

namespace cstl {
namespace {

constexpr int kBacklog = 16;
constexpr uint64_t kNoSession = 0;

class Waiter {
 public:
  Waiter(const Settings& settings, const Metadata& metadata, const NodeOffer& offer, Fd parent)
      : settings_(settings), metadata_(metadata), offer_(offer), parent_(std::move(parent)) {}

  Status open();
  Status wait();

 private:
  Status open_init_server();
  Status open_join_poller();
  void admit(Admission admission, uint64_t session);
  void hand_over();

  const Settings& settings_;
  const Metadata& metadata_;
  const NodeOffer& offer_;
  Fd parent_;
  std::unique_ptr<Platform> platform_;
  std::unique_ptr<LocalAttester> issuer_;
  std::unique_ptr<TlsIdentity> identity_;
  std::optional<QuoteBatch> batch_;
  ReferenceValues accepted_;

  Loop loop_;
  std::unique_ptr<Server> init_;
  std::unique_ptr<JoinPoller> join_;
  std::optional<Admission> admission_;
  uint64_t session_ = kNoSession;       // of the init client that waits for its response
};

Status Waiter::open() {
  const PlatformPaths paths = settings_.services.platform;
  PlatformDevices devices;
  devices.brokers = platform_brokers(paths);
  TRY_LET(platform_, Platform::open(metadata_.variant, paths, std::move(devices)));
  TRY_LET(issuer_, platform_->attester());
  TRY_LET(identity_, TlsIdentity::create());
  batch_.emplace(*issuer_);
  TRY(open_init_server());
  TRY(open_join_poller());
  if (!init_ && !join_) return fail(Code::metadata_malformed, "waiter.nothing_to_wait_for");
  // The parent's end closes when it is gone; nothing else comes from there before an admission was handed over.
  loop_.watch(parent_.get(), POLLIN, [this](short) { loop_.stop(); });
  return success();
}

Status Waiter::open_init_server() {
  if (metadata_.role != Role::control_plane || !metadata_.init_secret_sha256) return success();
  InitServerConfig config;
  config.identity = identity_.get();
  config.attester = &*batch_;
  config.metadata = &metadata_;
  config.disk = settings_.disk;
  config.entered = [this] { return admission_.has_value(); };
  config.on_admission = [this](uint64_t session, Admission admission) { admit(std::move(admission), session); };
  config.on_end = [](const SessionEnd& end) {
    if (end.error.code == Code::closed) {
      log_info("init.session_ended", {{"peer", end.peer}});
    } else {
      log_error("init.session_refused", end.error, {{"peer", end.peer}, {"peer_said", end.peer_text}});
    }
  };
  TRY_LET(Fd listener, listen_tcp(settings_.init_listen, kBacklog));
  TRY_LET(init_, create_init_server(std::move(listener), config));
  loop_.add(*init_);
  return success();
}

Status Waiter::open_join_poller() {
  if (metadata_.join.empty()) return success();
  std::string problem;
  auto accepted = accepted_from_joinservice(*issuer_, settings_.baked.c_str(), time(nullptr), &problem);
  if (!accepted) {
    log_error("waiter.reference_values", accepted.error(), {{"file", settings_.baked}, {"problem", problem}});
    return accepted.error();
  }
  accepted_ = std::move(*accepted);
  JoinPollerConfig config;
  config.metadata = &metadata_;
  config.party = JoinParty{identity_.get(), &*batch_, &accepted_, 0};
  config.disk = settings_.disk;
  config.offer = offer_;
  config.on_failed = [](const Endpoint& endpoint, const Error& error, const std::string& explanation) {
    log_error("join.failed", error, {{"joinservice", endpoint_text(endpoint)}, {"explanation", explanation}});
  };
  config.on_ticket = [this](const Endpoint& endpoint, Joined joined) {
    if (admission_) return;
    std::string why;
    auto admission = Admission::from_ticket(joined.ticket, metadata_, &why);
    if (!admission) {
      log_error("join.ticket_refused", admission.error(), {{"joinservice", endpoint_text(endpoint)}, {"problem", why}});
      return loop_.stop();
    }
    log_info("join.ticket", {{"joinservice", endpoint_text(endpoint)}});
    admit(std::move(*admission), kNoSession);
  };
  join_ = std::make_unique<JoinPoller>(std::move(config));
  loop_.add(*join_);
  return success();
}

void Waiter::admit(Admission admission, uint64_t session) {
  admission_ = std::move(admission);
  session_ = session;
  loop_.stop();  // the rest happens outside of the server's turn
}

Status Waiter::wait() {
  log_info("waiter.waiting", {{"init", init_ ? settings_.init_listen : "no"},
                              {"join_endpoints", static_cast<int64_t>(metadata_.join.size())}});
  TRY(loop_.run());
  if (!admission_) return fail(Code::closed, "waiter.ended");
  if (join_) join_->stop();
  hand_over();
  return success();
}

// A client that stalls or leaves cannot stop it: what it would be told is dropped.
void Waiter::hand_over() {
  Session* client = session_ == kNoSession ? nullptr : init_->session(session_);
  auto tell = [&client](FrameType type, Bytes body) {
    if (client && !(client->send(type, body).ok() && drive_to_drained(*client).ok())) client = nullptr;
  };
  uint8_t space[512];
  if (Status given = give_admission(parent_.get(), *admission_); !given.ok()) {
    log_error("waiter.handover", given.error());
    if (client) client->refuse(given.code(), code_what(given.code()));
  }
  for (;;) {
    auto news = take_news(parent_.get());
    if (!news) return log_error("waiter.news", news.error());
    if (news->kind == News::Kind::step) {
      auto body = InitProgress{news->text}.encode(MutBytes(space, sizeof space));
      if (body) tell(FrameType::init_progress, *body);
      continue;
    }
    if (news->kind == News::Kind::ask) {
      if (client && !client->step().ok()) client = nullptr;  // its end of the connection is seen by reading
      if (Status answered = answer_for_client(parent_.get(), client != nullptr); !answered.ok()) {
        return log_error("waiter.answer", answered.error());
      }
      continue;
    }
    if (news->kind == News::Kind::entered) {
      InitResponse response;
      response.cluster_id = admission_->node.cluster_id;
      response.disk = settings_.disk;
      response.kubeconfig = news->text;
      auto body = response.encode();
      if (body) tell(FrameType::init_response, body->declassify());
      wipe(MutBytes(reinterpret_cast<uint8_t*>(news->text.data()), news->text.size()));
      return;
    }
    if (!client) return;
    bool entered = news->code == Code::pcr_not_zero || news->code == Code::lock_taken;
    client->refuse(entered ? Code::already_initialised : news->code, news->text);
    (void)drive_to_drained(*client);  // the machine reboots either way; the log has the error
    return;
  }
}

}  // namespace

Status run_waiter(const Settings& settings, const Metadata& metadata, const NodeOffer& offer, Fd parent) {
  Waiter waiter(settings, metadata, offer, std::move(parent));
  TRY(waiter.open());
  TRY_LET(LockdownReport report, lock_down(kBootstrapperUid, kBootstrapperSeccomp, kBootstrapperLandlock, {}, Tcp::connect));
  log_info("waiter.confined", {{"landlock", report.landlock_abi}});
  return waiter.wait();
}

}  // namespace cstl
