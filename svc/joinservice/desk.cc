#include "svc/joinservice/desk.h"

#include <algorithm>
#include <ctime>

#include "crypto/base/fd.h"
#include "svc/joinservice/token.h"

namespace cstl {

namespace {
using kubernetes::Json;
constexpr int kDecisions = 4;   // after somebody else wrote the same name
constexpr int kTokenTries = 3;  // after an id that is taken: one in two thousand million

int64_t unix_seconds() { return time(nullptr); }

bool retryable(Code code) {
  switch (code) {
    case Code::join_busy:
    case Code::store_not_ready:
    case Code::certificate_late:
    case Code::timeout:
    case Code::busy:
    case Code::api_unreachable:
    case Code::api_busy:
    case Code::api_conflict:
    case Code::api_garbage: return true;
    default: return false;
  }
}
}  // namespace

std::string pki_file_name(PkiFile file) {
  std::string out = pki_file_path(file);
  std::replace(out.begin(), out.end(), '/', '-');
  return out;
}

std::string refusal_text(const Error& error, const std::string& why) {
  std::string out = why.empty() ? code_what(error.code) : why;
  if (retryable(error.code) && error.code != Code::join_busy) out += "; try again";
  return out;
}

struct JoinDesk::Job {
  uint64_t session = 0;
  FrameType type = FrameType::join_request;
  // What was asked; the request borrows from `body`, which holds no secret.
  std::vector<uint8_t> body;
  JoinRequest join;
  RejoinRequest rejoin;
  std::optional<Verdict> verdict;
  std::string node;            // for the log: the name that was asked for or is on record
  P256Point key{};             // of the certificate request
  // What was made.
  NodeRecord record;
  Key32 disk_key, measurement_key, secrets_key;
  TokenText token;
  std::string certificate;
  bool locked = false, has_token = false, has_certificate = false;
  int decisions = 0, tokens = 0;
  bool ended = false;
  Loop::Id timer = 0;

  const Verdict* passed() const { return verdict ? &*verdict : nullptr; }
};

JoinDesk::JobPtr JoinDesk::begin(Exchange& exchange, FrameType request) {
  auto job = std::make_shared<Job>();
  job->session = exchange.id;
  job->type = request;
  job->body = exchange.body.copy();
  if (const Verdict* verdict = exchange.session.peer_verdict()) job->verdict = *verdict;
  ++jobs_;
  job->timer = parts_.loop->after(kJobMs, [this, weak = std::weak_ptr<Job>(job)] {
    if (JobPtr late = weak.lock()) refuse(late, fail(Code::timeout, "desk.job"), "the API server did not answer in time");
  });
  return job;
}

Status JoinDesk::join(Exchange& exchange) {
  JobPtr job = begin(exchange, FrameType::join_request);
  auto request = JoinRequest::decode(job->body);
  if (!request.ok()) {
    end(job, request.error(), "");
    return request.error();
  }
  job->join = *request;
  job->node = std::string(request->name.text());
  decide(job);
  return success();
}

void JoinDesk::decide(const JobPtr& job) {
  if (!parts_.store->synced()) return refuse(job, fail(Code::store_not_ready, "desk.store"));
  if (job->decisions++ == kDecisions) return refuse(job, fail(Code::api_conflict, "desk.decisions"));
  std::string why;
  auto record = decide_join(job->join, job->passed(), parts_.store->nodes(), parts_.facts, unix_seconds(), &why);
  if (!record.ok()) return refuse(job, record.error(), why);
  auto request = parse_certificate_request(job->join.csr);
  Status checked = request.ok() ? check_client_request(*request, record->name) : Status(request.error());
  if (!checked.ok()) {
    return refuse(job, checked.error(), std::string("the certificate request: ") + checked.error().site);
  }
  job->key = request->key;
  job->record = std::move(*record);
  if (job->record.role == Role::control_plane && !job->locked) return lock(job);
  if (Status keys = ask_keys(*job); !keys.ok()) return refuse(job, keys.error());
  save(job);
}

void JoinDesk::lock(const JobPtr& job) {
  parts_.lock->take(job->record.name, [this, job](Status taken, const std::string& who) {
    if (taken.ok()) job->locked = true;
    if (job->ended && taken.ok()) parts_.lock->release(job->node);
    if (job->ended) return;
    if (!taken.ok()) return refuse(job, taken.error(), who);
    --job->decisions;
    decide(job);  // memory may have changed meanwhile
  });
}

Status JoinDesk::ask_keys(Job& job) {
  TRY_LET(job.disk_key, parts_.keys->key(KeyClass::disk, uuid_text(job.record.disk)));
  TRY_LET(job.measurement_key, parts_.keys->key(KeyClass::cluster_measurement, ""));
  if (job.type == FrameType::join_request && job.record.role == Role::control_plane) {
    TRY_LET(job.secrets_key, parts_.keys->key(KeyClass::cluster_secrets, ""));
  }
  return success();
}

void JoinDesk::save(const JobPtr& job) {
  parts_.store->save(job->record, [this, job](Status saved) {
    if (job->ended) return;
    if (saved.code() == Code::api_conflict) return decide(job);
    if (!saved.ok()) return refuse(job, saved.error());
    make_token(job);
    make_certificate(job);
  });
}

void JoinDesk::make_token(const JobPtr& job) {
  auto token = cstl::make_token();
  if (!token.ok()) return refuse(job, token.error());
  job->token = std::move(*token);
  parts_.client->create_object("/api/v1/namespaces/kube-system/secrets",
                               token_object(job->token, job->record.name, unix_seconds()), [this, job](Result<Json> made) {
    if (job->ended) return;
    if (made.code() == Code::api_conflict && ++job->tokens < kTokenTries) return make_token(job);
    if (!made.ok()) return refuse(job, made.error());
    job->has_token = true;
    send_ticket(job);
  });
}

void JoinDesk::make_certificate(const JobPtr& job) {
  if (job->ended) return;
  parts_.certificates->issue(job->record.name, job->join.csr, job->key, [this, job](Result<std::string> certificate) {
    if (job->ended) return;
    if (!certificate.ok()) return refuse(job, certificate.error());
    job->certificate = std::move(*certificate);
    job->has_certificate = true;
    send_ticket(job);
  });
}

void JoinDesk::send_ticket(const JobPtr& job) {
  if (job->has_token && job->has_certificate) send(job, FrameType::join_ticket, encode_ticket(*job));
}

Result<SecretBuffer> JoinDesk::encode_ticket(const Job& job) {
  JoinTicket ticket;
  ticket.disk_key = job.disk_key.clone();
  ticket.measurement_key = job.measurement_key.clone();
  ticket.measurement_salt = parts_.facts->salt;
  ticket.owner_key = parts_.facts->owner;
  KubernetesTicket& kubernetes = ticket.kubernetes.emplace();
  kubernetes.cluster = parts_.facts->config;
  kubernetes.endpoint = parts_.facts->endpoint;
  kubernetes.ca_hash = parts_.facts->ca_hash;
  kubernetes.token = job.token.declassify();
  kubernetes.ca_certificate = parts_.ca_certificate;
  kubernetes.certificate = job.certificate;
  if (job.record.role != Role::control_plane) return ticket.encode();

  ControlPlaneTicket& control = kubernetes.control_plane.emplace();
  control.secrets_key = job.secrets_key.clone();
  std::array<std::vector<uint8_t>, kPkiFiles> files;
  auto wiped = [&files](Result<SecretBuffer> out) {
    for (std::vector<uint8_t>& file : files) wipe(file);
    return out;
  };
  for (size_t i = 0; i < kPkiFiles; ++i) {
    auto file = read_file((parts_.pki_folder + "/" + pki_file_name(static_cast<PkiFile>(i))).c_str(), kMaxPkiFile);
    if (!file.ok()) return wiped(file.error());
    files[i] = std::move(*file);
    control.pki[i] = files[i];
  }
  return wiped(ticket.encode());
}

Status JoinDesk::rejoin(Exchange& exchange) {
  JobPtr job = begin(exchange, FrameType::rejoin_request);
  auto request = RejoinRequest::decode(job->body);
  if (!request.ok()) {
    end(job, request.error(), "");
    return request.error();
  }
  job->rejoin = *request;
  if (!parts_.store->synced()) {
    refuse(job, fail(Code::store_not_ready, "desk.store"));
    return success();
  }
  auto record = decide_rejoin(job->rejoin, job->passed(), parts_.store->nodes());
  if (!record.ok()) {
    refuse(job, record.error());
    return success();
  }
  job->node = record->name;
  // Memory may be behind: a record that an operator removed a moment ago, or while the API was away, is no record.
  parts_.store->confirm(record->name, [this, job](Result<NodeRecord> fresh) { send_rejoin_ticket(job, fresh); });
  return success();
}

void JoinDesk::send_rejoin_ticket(const JobPtr& job, const Result<NodeRecord>& fresh) {
  if (job->ended) return;
  if (!fresh.ok()) return refuse(job, fresh.error());
  auto record = decide_rejoin(job->rejoin, job->passed(), parts_.store->nodes());
  if (!record.ok()) return refuse(job, record.error());
  job->record = std::move(*record);
  if (Status keys = ask_keys(*job); !keys.ok()) return refuse(job, keys.error());
  RejoinTicket ticket;
  ticket.disk_key = job->disk_key.clone();
  ticket.measurement_key = job->measurement_key.clone();
  send(job, FrameType::rejoin_ticket, ticket.encode());
}

void JoinDesk::send(const JobPtr& job, FrameType type, Result<SecretBuffer> body) {
  if (job->ended) return;
  if (!body.ok()) return refuse(job, body.error());
  Session* session = server_->session(job->session);
  if (session == nullptr) return end(job, fail(Code::closed, "desk.peer_left"), "");
  if (Status sent = session->send(type, body->declassify()); !sent.ok()) return refuse(job, sent.error());
  parts_.store->attested(job->record.name, unix_seconds());
  job->ended = true;
  parts_.loop->cancel(job->timer);
  --jobs_;
  if (hooks_.on_end) hooks_.on_end(job->type, &job->record, Error{Code::ok}, job->node, "");
}

void JoinDesk::refuse(const JobPtr& job, const Error& error, const std::string& why) {
  if (job->ended) return;
  const std::string text = refusal_text(error, why);
  if (Session* session = server_->session(job->session)) session->refuse(error.code, text);
  end(job, error, text);
}

void JoinDesk::end(const JobPtr& job, const Error& error, const std::string& why) {
  if (job->ended) return;
  job->ended = true;
  parts_.loop->cancel(job->timer);
  --jobs_;
  if (job->locked) parts_.lock->release(job->record.name);
  if (hooks_.on_end) hooks_.on_end(job->type, nullptr, error, job->node, why);
}

}  // namespace cstl
