#include "boot/bootstrapper/init_server.h"

#include <ctime>

namespace cstl {
namespace {

constexpr size_t kMaxInitSessions = 8;
constexpr int kRequestMs = 15000;  // for the request to come; entering the cluster, later, is not timed by the session

}  // namespace

Result<Admission> check_init_request(Bytes body, const Secret<32>& exporter, const Digest32& init_secret_sha256,
                                     const Metadata& metadata, const Uuid& disk, int64_t now, std::string* text) {
  TRY_LET(InitRequest request, InitRequest::decode(body));
  TRY_LET(Digest32 hash, sha256({request.init_secret.declassify()}));
  if (!ct_equal(hash, init_secret_sha256)) return fail(Code::init_secret, "init.secret");
  TRY(InitRequest::verify_owner(body, exporter));
  std::string problem;
  auto admission = Admission::from_init(request, metadata, disk, now, &problem);
  if (!admission && text && !problem.empty()) {
    const bool cluster = admission.code() == Code::cluster_malformed || admission.code() == Code::kubernetes_version;
    *text = (cluster ? "cluster configuration: " : "reference values: ") + problem;
  }
  return admission;
}

Result<std::unique_ptr<Server>> create_init_server(Fd listener, const InitServerConfig& config) {
  if (!config.metadata || !config.metadata->init_secret_sha256) return fail(Code::bad_value, "init.metadata");
  ServerConfig server;
  server.identity = config.identity;
  server.attester = config.attester;
  server.max_sessions = kMaxInitSessions;
  server.request_ms = kRequestMs;
  server.on_end = config.on_end;
  RequestRule rule{FrameType::init_request, 1, [config](Exchange& exchange) -> Status {
    if (config.entered()) return fail(Code::already_initialised, "init.entered");
    TRY_LET(Admission admission,
            check_init_request(exchange.body, exchange.session.exporter(), *config.metadata->init_secret_sha256,
                               *config.metadata, config.disk, time(nullptr), &exchange.text));
    config.on_admission(exchange.id, std::move(admission));
    return success();
  }};
  server.requests.push_back(std::move(rule));
  return Server::create(std::move(listener), std::move(server));
}

}  // namespace cstl
