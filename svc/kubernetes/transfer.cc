#include "svc/kubernetes/transfer.h"

#include <algorithm>
#include <curl/curl.h>
#include <map>

#include "crypto/base/fd.h"
#include "crypto/hash.h"
#include "svc/kubernetes/events.h"

namespace cstl::kubernetes {

namespace {
constexpr size_t kMaxPending = 64u << 20;  // bytes of lines that wait for on_line

// Headers, of which one may hold the token.
class HeaderList {
 public:
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() {
    for (curl_slist* item = list_; item != nullptr; item = item->next) {
      wipe(MutBytes(reinterpret_cast<uint8_t*>(item->data), std::strlen(item->data)));
    }
    curl_slist_free_all(list_);
  }
  bool add(const std::string& line) {
    curl_slist* longer = curl_slist_append(list_, line.c_str());
    if (longer != nullptr) list_ = longer;
    return longer != nullptr;
  }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

void wipe_text(std::string& text) {
  wipe(MutBytes(reinterpret_cast<uint8_t*>(text.data()), text.size()));
  text.clear();
}

struct Running {
  explicit Running(Exchange e) : exchange(std::move(e)), splitter(exchange.max_line) {}
  ~Running() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    wipe_text(exchange.body);
    wipe_text(exchange.token);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  Exchange exchange;
  CURL* easy = nullptr;
  HeaderList headers;
  LineSplitter splitter;
  std::vector<std::string> lines;   // not told yet
  size_t pending = 0;               // bytes in them
  std::string body;
  Status broken;                    // why receive() ended the exchange
  int64_t last_byte = 0;
  bool finished = false;
  CURLcode result = CURLE_OK;
};

bool is_stream(Running& r) {
  long status = 0;
  curl_easy_getinfo(r.easy, CURLINFO_RESPONSE_CODE, &status);
  return r.exchange.max_line > 0 && status == 200;
}

size_t receive(char* data, size_t, size_t size, void* context) {
  Running& r = *static_cast<Running*>(context);
  r.last_byte = monotonic_ms();
  Bytes bytes(reinterpret_cast<const uint8_t*>(data), size);
  if (is_stream(r)) {
    r.pending += size;
    r.broken = r.pending > kMaxPending ? Status(fail(Code::api_garbage, "kubernetes.stream"))
                                       : r.splitter.feed(bytes, r.lines);
  } else if (size > r.exchange.max_answer - r.body.size()) {
    r.broken = fail(Code::api_garbage, "kubernetes.answer_size");
  } else {
    r.body += bytes.text();
  }
  return r.broken.ok() ? size : CURL_WRITEFUNC_ERROR;
}

Status transport_status(Running& r) {
  TRY(r.broken);
  if (r.result == CURLE_OK) return success();
  Code code = Code::api_unreachable;
  const char* site = "kubernetes.connection";
  curl_off_t handshake_us = 0;
  long connections = 0;  // that were opened for it; none: it went over one that was there
  curl_easy_getinfo(r.easy, CURLINFO_APPCONNECT_TIME_T, &handshake_us);
  curl_easy_getinfo(r.easy, CURLINFO_NUM_CONNECTS, &connections);
  const bool secured = handshake_us > 0 || connections == 0;
  switch (r.result) {
    case CURLE_OPERATION_TIMEDOUT:
      site = secured ? "kubernetes.answer" : "kubernetes.connect";
      if (secured) code = Code::timeout;
      break;
    case CURLE_COULDNT_RESOLVE_HOST: site = "kubernetes.name"; break;
    case CURLE_COULDNT_CONNECT: site = "kubernetes.connect"; break;
    case CURLE_SSL_CONNECT_ERROR: site = "kubernetes.tls"; break;
    case CURLE_PEER_FAILED_VERIFICATION: site = "kubernetes.server_certificate"; break;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:  // HTTP/0.9
    case CURLE_TOO_LARGE:
    case CURLE_BAD_CONTENT_ENCODING:
      code = Code::api_garbage;
      site = "kubernetes.http";
      break;
    case CURLE_OUT_OF_MEMORY: code = Code::no_memory; break;
    default: break;
  }
  return fail(code, site, Origin::curl, r.result);
}

int poll_mask(short revents) {
  int mask = 0;
  if ((revents & (POLLIN | POLLHUP)) != 0) mask |= CURL_CSELECT_IN;
  if ((revents & POLLOUT) != 0) mask |= CURL_CSELECT_OUT;
  if ((revents & (POLLERR | POLLNVAL)) != 0) mask |= CURL_CSELECT_ERR;
  return mask;
}

struct Socket {
  short events = 0;
  size_t position = 0;
  bool asked = false;  // part of the poll that dispatch() follows
};
}  // namespace

struct Transfers::State {
  const Identity* identity = nullptr;
  int connect_ms = 0;
  CURLM* multi = nullptr;
  std::map<Id, std::shared_ptr<Running>> running;
  std::map<curl_socket_t, Socket> sockets;
  int64_t timer = kNoDeadline;
  Id next = 1;

  static int on_socket(CURL*, curl_socket_t fd, int what, void* context, void*) {
    auto& sockets = static_cast<State*>(context)->sockets;
    if (what == CURL_POLL_REMOVE) {
      sockets.erase(fd);
      return 0;
    }
    short events = 0;
    if ((what & CURL_POLL_IN) != 0) events |= POLLIN;
    if ((what & CURL_POLL_OUT) != 0) events |= POLLOUT;
    sockets[fd].events = events;
    return 0;
  }

  static int on_timer(CURLM*, long timeout_ms, void* context) {
    static_cast<State*>(context)->timer = timeout_ms < 0 ? kNoDeadline : monotonic_ms() + timeout_ms;
    return 0;
  }

  Status set_up(Running& r) const;
  void collect();
  void tell_lines();
  void tell_ends();
};

Transfers::Transfers() : state_(new State) {}

Transfers::~Transfers() {
  if (state_->multi == nullptr) return;
  for (auto& [id, r] : state_->running) {
    if (r->easy != nullptr) curl_multi_remove_handle(state_->multi, r->easy);
  }
  state_->running.clear();
  curl_multi_cleanup(state_->multi);
}

Result<std::unique_ptr<Transfers>> Transfers::create(const Identity& identity, int connect_ms, int connections) {
  TRY(crypto_start());
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) return fail(Code::no_memory, "kubernetes.curl", Origin::curl, started);
  std::unique_ptr<Transfers> transfers(new Transfers);
  State& state = *transfers->state_;
  state.identity = &identity;
  state.connect_ms = connect_ms;
  state.multi = curl_multi_init();
  if (state.multi == nullptr) return fail(Code::no_memory, "kubernetes.curl");
  curl_multi_setopt(state.multi, CURLMOPT_SOCKETFUNCTION, State::on_socket);
  curl_multi_setopt(state.multi, CURLMOPT_SOCKETDATA, &state);
  curl_multi_setopt(state.multi, CURLMOPT_TIMERFUNCTION, State::on_timer);
  curl_multi_setopt(state.multi, CURLMOPT_TIMERDATA, &state);
  curl_multi_setopt(state.multi, CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(connections));
  curl_multi_setopt(state.multi, CURLMOPT_MAXCONNECTS, static_cast<long>(connections));
  return transfers;
}

Status Transfers::State::set_up(Running& r) const {
  r.easy = curl_easy_init();
  if (r.easy == nullptr) return fail(Code::no_memory, "kubernetes.curl");
  const Exchange& e = r.exchange;
  CURLcode bad = CURLE_OK;
  auto set = [&](CURLoption option, auto value) {
    CURLcode code = curl_easy_setopt(r.easy, option, value);
    if (bad == CURLE_OK) bad = code;
  };
  auto set_blob = [&](CURLoption option, Bytes pem) {
    if (pem.empty()) return;
    // libcurl does not change a blob that it does not copy.
    curl_blob blob{const_cast<uint8_t*>(pem.data()), pem.size(), CURL_BLOB_NOCOPY};
    set(option, &blob);
  };
  set(CURLOPT_URL, e.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "https");
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set_blob(CURLOPT_CAINFO_BLOB, identity->ca);
  set_blob(CURLOPT_SSLCERT_BLOB, identity->certificate);
  if (identity->key) set_blob(CURLOPT_SSLKEY_BLOB, identity->key->declassify());
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_ms));
  if (e.timeout_ms > 0) set(CURLOPT_TIMEOUT_MS, static_cast<long>(e.timeout_ms));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_CUSTOMREQUEST, e.method);
  set(CURLOPT_WRITEFUNCTION, receive);
  set(CURLOPT_WRITEDATA, &r);

  std::string authorization = "Authorization: Bearer " + e.token;
  bool headers = r.headers.add("Accept: application/json") && r.headers.add("Accept-Encoding:") &&
                 r.headers.add("Expect:") && r.headers.add("User-Agent: cstl/" CSTL_VERSION) &&
                 (e.token.empty() || r.headers.add(authorization));
  wipe_text(authorization);
  if (e.content_type != nullptr) {
    headers = headers && r.headers.add(std::string("Content-Type: ") + e.content_type);
    set(CURLOPT_POSTFIELDS, e.body.data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(e.body.size()));
  }
  set(CURLOPT_HTTPHEADER, r.headers.get());
  if (!headers) return fail(Code::no_memory, "kubernetes.curl");
  if (bad != CURLE_OK) return fail(Code::api_unreachable, "kubernetes.curl_option", Origin::curl, bad);
  return success();
}

Transfers::Id Transfers::start(Exchange exchange) {
  State& state = *state_;
  Id id = state.next++;
  auto r = std::make_shared<Running>(std::move(exchange));
  r->last_byte = monotonic_ms();
  r->broken = r->exchange.refused;
  if (r->broken.ok()) r->broken = state.set_up(*r);
  if (r->broken.ok() && curl_multi_add_handle(state.multi, r->easy) != CURLM_OK) {
    r->broken = fail(Code::api_unreachable, "kubernetes.curl");
  }
  if (!r->broken.ok()) {
    r->finished = true;
    state.timer = 0;  // told in the next turn
  } else {
    curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r.get());
  }
  state.running.emplace(id, std::move(r));
  return id;
}

void Transfers::stop(Id id) {
  auto found = state_->running.find(id);
  if (found == state_->running.end()) return;
  std::shared_ptr<Running> r = std::move(found->second);
  state_->running.erase(found);
  if (r->easy != nullptr) curl_multi_remove_handle(state_->multi, r->easy);
}

void Transfers::prepare(PollSet& set) {
  for (auto& [fd, socket] : state_->sockets) {
    socket.position = set.add(fd, socket.events);
    socket.asked = true;
  }
  set.wake_by(state_->timer);
  for (auto& [id, r] : state_->running) {
    if (r->exchange.silence_ms > 0) set.wake_by(r->last_byte + r->exchange.silence_ms);
    if (r->finished || !r->lines.empty()) set.wake_by(0);
  }
}

void Transfers::dispatch(const PollSet& set) {
  State& state = *state_;
  // A copy first: libcurl changes the sockets while it works on one, and a number may come back as another socket.
  std::vector<std::pair<curl_socket_t, int>> ready;
  for (auto& [fd, socket] : state.sockets) {
    if (!socket.asked) continue;
    socket.asked = false;
    if (int mask = poll_mask(set.ready(socket.position)); mask != 0) ready.emplace_back(fd, mask);
  }
  int left = 0;
  for (auto [fd, mask] : ready) curl_multi_socket_action(state.multi, fd, mask, &left);
  if (state.timer <= monotonic_ms()) {
    state.timer = kNoDeadline;
    curl_multi_socket_action(state.multi, CURL_SOCKET_TIMEOUT, 0, &left);
  }
  state.collect();
  state.tell_lines();
  state.tell_ends();
}

void Transfers::State::collect() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    char* which = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &which);
    auto* r = reinterpret_cast<Running*>(which);
    r->finished = true;
    r->result = message->data.result;
  }
  int64_t now = monotonic_ms();
  for (auto& [id, r] : running) {
    if (r->finished || r->exchange.silence_ms <= 0 || now < r->last_byte + r->exchange.silence_ms) continue;
    r->broken = fail(Code::timeout, "kubernetes.silence");
    r->finished = true;
  }
}

void Transfers::State::tell_lines() {
  std::vector<Id> ids;
  for (auto& [id, r] : running) {
    if (!r->lines.empty()) ids.push_back(id);
  }
  for (Id id : ids) {
    auto found = running.find(id);
    if (found == running.end()) continue;
    std::shared_ptr<Running> r = found->second;
    std::vector<std::string> lines = std::move(r->lines);
    r->lines.clear();
    r->pending = 0;
    for (std::string& line : lines) {
      if (running.count(id) == 0) break;  // stopped by the line before
      r->exchange.on_line(std::move(line));
    }
  }
}

void Transfers::State::tell_ends() {
  std::vector<Id> ids;
  for (auto& [id, r] : running) {
    if (r->finished) ids.push_back(id);
  }
  for (Id id : ids) {
    auto found = running.find(id);
    if (found == running.end()) continue;
    std::shared_ptr<Running> r = std::move(found->second);
    running.erase(found);
    Reply reply;
    reply.transport = transport_status(*r);
    if (r->easy != nullptr) {
      curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &reply.status);
      curl_multi_remove_handle(multi, r->easy);
    }
    reply.body = std::move(r->body);
    if (r->exchange.done) r->exchange.done(std::move(reply));
  }
}

}  // namespace cstl::kubernetes
