#include "boot/bootstrapper/bootstrap.h"

#include <ctime>

#include "crypto/base/log.h"

namespace cstl {
namespace {

constexpr int kBacklog = 16;
constexpr uint64_t kNoSession = 0;

}  // namespace

Result<NodeState> Bootstrap::run() {
  TRY(start_init_server());
  TRY(start_join_poller());
  if (!init_ && !join_) return fail(Code::metadata_malformed, "bootstrap.nothing_to_wait_for");
  log_info("bootstrap.waiting", {{"init", init_ ? settings_.init_listen : "no"},
                                 {"join_endpoints", static_cast<int64_t>(metadata_.join.size())}});
  while (!outcome_) TRY(loop_.poll_once(-1));
  return std::move(*outcome_);
}

Status Bootstrap::start_init_server() {
  if (metadata_.role != Role::control_plane || !metadata_.init_secret_sha256) return success();
  InitServerConfig config;
  config.identity = &identity_;
  config.attester = &batch_;
  config.metadata = &metadata_;
  config.disk = settings_.disk;
  config.entered = [this] { return entering_; };
  config.on_admission = [this](uint64_t session, Admission admission) {
    entering_ = true;
    admission_ = std::make_unique<Admission>(std::move(admission));
    loop_.after(0, [this, session] { enter(*admission_, session); });
  };
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

Status Bootstrap::start_join_poller() {
  if (metadata_.join.empty()) return success();
  int64_t now = time(nullptr);
  TRY_LET(auto pcrs, device_.read_pcrs());
  std::string problem;
  auto accepted = accepted_from_joinservice(pcrs, metadata_.variant, settings_.baked.c_str(), now, &problem);
  if (!accepted) {
    log_error("bootstrap.reference_values", accepted.error(), {{"file", settings_.baked}, {"problem", problem}});
    return accepted.error();
  }
  accepted_ = std::move(*accepted);
  JoinPollerConfig config;
  config.metadata = &metadata_;
  config.party = JoinParty{&identity_, &batch_, &accepted_, 0};
  config.disk = settings_.disk;
  config.on_failed = [](const Endpoint& endpoint, const Error& error, const std::string& explanation) {
    log_error("join.failed", error, {{"joinservice", endpoint_text(endpoint)}, {"explanation", explanation}});
  };
  config.on_ticket = [this](const Endpoint& endpoint, Joined joined) {
    if (entering_) return;
    std::string why;
    auto admission = Admission::from_ticket(joined.ticket, metadata_, time(nullptr), &why);
    if (!admission) {
      log_error("join.ticket_refused", admission.error(), {{"joinservice", endpoint_text(endpoint)}, {"problem", why}});
      outcome_ = admission.error();
      return;
    }
    log_info("join.ticket", {{"joinservice", endpoint_text(endpoint)}});
    entering_ = true;
    admission_ = std::make_unique<Admission>(std::move(*admission));
    loop_.after(0, [this] { enter(*admission_, kNoSession); });
  };
  join_ = std::make_unique<JoinPoller>(std::move(config));
  loop_.add(*join_);
  return success();
}

Session* Bootstrap::init_session(uint64_t id) { return id == kNoSession || !init_ ? nullptr : init_->session(id); }

// A client that stalls or leaves cannot stop it: what it would be told is dropped, after the deadline of its session.
void Bootstrap::enter(const Admission& admission, uint64_t session_id) {
  if (join_) join_->stop();
  Session* client = init_session(session_id);
  auto tell = [&](FrameType type, Bytes body) {
    if (client && !(client->send(type, body).ok() && drive_to_drained(*client).ok())) client = nullptr;
  };
  std::string step;
  Status entered = enter_cluster(admission, settings_.places, lock_, device_, monitor_, [&](std::string_view name) {
    step = std::string(name);
    log_info("bootstrap.step", {{"step", step}});
    uint8_t space[512];
    auto body = InitProgress{name}.encode(MutBytes(space, sizeof space));
    if (body) tell(FrameType::init_progress, *body);
  });

  if (!entered.ok()) {
    log_error("bootstrap.failed", entered.error(), {{"step", step}});
    if (client) {
      Code code = entered.code() == Code::pcr_not_zero || entered.code() == Code::lock_taken ? Code::already_initialised
                                                                                            : entered.code();
      client->refuse(code, step + ": " + describe(entered.error()));
      (void)drive_to_drained(*client);  // the machine reboots either way; the log has the error
    }
    outcome_ = entered.error();
    return;
  }
  log_info("bootstrap.entered", {{"cluster", to_hex(admission.node.cluster_id)}, {"role", role_name(admission.node.role)}});
  InitResponse response;
  response.cluster_id = admission.node.cluster_id;
  response.disk = settings_.disk;
  uint8_t space[128];
  auto body = response.encode(MutBytes(space, sizeof space));
  if (body) tell(FrameType::init_response, *body);
  outcome_ = admission.node;
}

}  // namespace cstl
