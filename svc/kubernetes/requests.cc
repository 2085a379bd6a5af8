#include "svc/kubernetes/requests.h"

#include "svc/kubernetes/events.h"

namespace cstl::kubernetes {

namespace {
constexpr int kConnections = 64;
constexpr long kUnauthorised = 401;

void wipe_text(std::string& text) {
  wipe(MutBytes(reinterpret_cast<uint8_t*>(text.data()), text.size()));
  text.clear();
}

// What the API server answers in plain text.
bool is_health(std::string_view path) {
  path = path.substr(0, path.find('?'));
  return path == "/readyz" || path == "/livez" || path == "/healthz";
}
}  // namespace

Error status_error(int status) {
  Code code = Code::api_refused;
  const char* site = "kubernetes.status";
  switch (status) {
    case 401: code = Code::api_denied; site = "kubernetes.authentication"; break;
    case 403: code = Code::api_denied; site = "kubernetes.authorisation"; break;
    case 404: code = Code::api_not_found; site = "kubernetes.object"; break;
    case 409: code = Code::api_conflict; site = "kubernetes.object"; break;
    case 410: code = Code::api_gone; site = "kubernetes.version"; break;
    case 429:
    case 503: code = Code::api_busy; break;
    default: break;
  }
  return fail(code, site, Origin::http, status);
}

Result<std::unique_ptr<Requests>> Requests::create(Access access, const Limits& limits) {
  std::vector<std::string> servers;
  access.more_servers.insert(access.more_servers.begin(), access.server);
  for (const std::string& text : access.more_servers) {
    TRY_LET(std::string server, checked_server(text));
    servers.push_back(std::move(server));
  }
  TRY_LET(Identity identity, read_identity(access));
  std::unique_ptr<Requests> requests(
      new Requests(std::move(servers), std::move(identity), std::move(access.token_file), limits));
  TRY_LET(requests->transfers_, Transfers::create(requests->identity_, limits.connect_ms, kConnections));
  return requests;
}

Requests::~Requests() {
  transfers_.reset();  // before what it borrows
  for (auto& [id, request] : requests_) wipe_text(request.body);
}

// `refused` is set when the request cannot be sent at all; the exchange then only carries that to its end.
Exchange Requests::exchange_of(const std::string& path, Status* refused) {
  Exchange exchange;
  *refused = check_path(path);
  exchange.url = servers_[current_] + path;
  exchange.max_answer = limits_.answer;
  auto token = token_.current();
  if (refused->ok() && !token) *refused = token.error();
  if (token) exchange.token = std::move(*token);
  return exchange;
}

// Several requests may have been under way to a server that went away: only the first of them moves on.
void Requests::judge_server(size_t asked, const Status& transport) {
  const bool away = transport.code() == Code::api_unreachable || transport.code() == Code::timeout;
  if (away && asked == current_) current_ = (current_ + 1) % servers_.size();
}

Requests::Id Requests::send(const char* method, std::string path, const char* content_type, std::string body,
                            Answer done) {
  Id id = next_++;
  Request& request = requests_[id];
  request.method = method;
  request.path = std::move(path);
  request.content_type = content_type;
  request.body = std::move(body);
  request.done = std::move(done);
  begin(id, request);
  return id;
}

void Requests::begin(Id id, Request& request) {
  Status refused;
  Exchange exchange = exchange_of(request.path, &refused);
  exchange.refused = refused;
  exchange.method = request.method;
  exchange.content_type = request.content_type;
  exchange.body = request.body;
  exchange.timeout_ms = limits_.request_ms;
  exchange.done = [this, id](Reply reply) { finish(id, std::move(reply)); };
  request.server = current_;
  request.transfer = transfers_->start(std::move(exchange));
}

void Requests::finish(Id id, Reply reply) {
  auto found = requests_.find(id);
  if (found == requests_.end()) return;
  Request& request = found->second;
  judge_server(request.server, reply.transport);
  if (reply.transport.ok() && reply.status == kUnauthorised && !request.repeated && token_.reload()) {
    request.repeated = true;
    begin(id, request);
    return;
  }
  wipe_text(request.body);
  Answer done = std::move(request.done);
  bool health = is_health(request.path);
  requests_.erase(found);
  problem_.clear();
  Result<Json> answer = read_reply(reply, health);
  if (on_ended) on_ended(answer.code());
  done(std::move(answer));
}

Result<Json> Requests::read_reply(const Reply& reply, bool text_allowed) {
  TRY(reply.transport);
  if (reply.status < 200) return fail(Code::api_garbage, "kubernetes.http_status", Origin::http, reply.status);
  if (reply.status >= 300) {
    auto body = parse_json(reply.body, limits_.answer, limits_.depth);
    problem_ = body ? status_message(*body) : printable_text(reply.body);
    return status_error(static_cast<int>(reply.status));
  }
  if (text_allowed) return Json{{"text", printable_text(reply.body)}};
  auto body = parse_json(reply.body, limits_.answer, limits_.depth);
  if (!body || !body->is_object()) {
    problem_ = printable_text(reply.body);
    return fail(Code::api_garbage, body ? "kubernetes.answer" : body.error().site);
  }
  return std::move(*body);
}

Requests::Id Requests::stream(std::string path, std::function<void(std::string line)> on_line,
                              std::function<void(Status)> done) {
  Id id = next_++;
  Status refused;
  Exchange exchange = exchange_of(path, &refused);
  exchange.refused = refused;
  exchange.max_line = limits_.object;
  exchange.silence_ms = limits_.silence_ms;
  exchange.on_line = std::move(on_line);
  exchange.done = [this, id, server = current_, done = std::move(done)](Reply reply) {
    streams_.erase(id);
    judge_server(server, reply.transport);
    problem_.clear();
    if (reply.transport.ok() && reply.status == kUnauthorised) (void)token_.reload();  // for the next attempt
    Status status = reply.transport;
    if (status.ok() && reply.status != 200) {
      auto answer = read_reply(reply, false);
      status = answer ? fail(Code::api_garbage, "kubernetes.stream", Origin::http, reply.status) : answer.error();
    }
    if (on_ended) on_ended(status.code());
    done(status);
  };
  streams_[id] = transfers_->start(std::move(exchange));
  return id;
}

void Requests::stop(Id id) {
  if (auto request = requests_.find(id); request != requests_.end()) {
    transfers_->stop(request->second.transfer);
    wipe_text(request->second.body);
    requests_.erase(request);
  } else if (auto open = streams_.find(id); open != streams_.end()) {
    transfers_->stop(open->second);
    streams_.erase(open);
  }
}

}  // namespace cstl::kubernetes
