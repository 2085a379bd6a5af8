// A small client of the Kubernetes API: HTTPS (TLS 1.3) and JSON over libcurl, part of the program's Loop.
//
// The server is authenticated by the cluster's CA alone, its host name or IP address is checked; no redirects, no
// proxy, no compression. Everything that the server sends is bounded: bytes of an answer, bytes of one watched object,
// depth of JSON, time. An API server that is absent, slow or answers garbage gives an error with a code of its own,
// never a hang. The bearer token is never logged, and is read again when its file changes and after an answer 401.
// Callbacks run inside dispatch(), once per request, and may call anything of the client, including cancel(); never
// after cancel() or the client's end. The client must not end inside one of
// its callbacks. Not thread-safe, never logs.
//
// An answer that carries a Secret is not wiped from memory: what a service needs of Secrets is mounted as a volume.
// Bodies that are sent, and the token, are wiped from this side's own buffers, not from libcurl's.
//
// Errors (Error.origin http: foreign is the status; curl: the CURLcode): api_unreachable (name, connection, TLS: also
// when the CA does not match), api_refused (any other status from 300), api_not_found (404), api_conflict (409),
// api_denied (401, 403), api_gone (410), api_busy (429, 503), api_garbage (not JSON, not an object, too large or too
// deep), timeout, bad_value (a path that is not one).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/address.h"
#include "crypto/base/json.h"
#include "svc/run/loop.h"

namespace cstl::kubernetes {

using Json = nlohmann::json;
using Answer = std::function<void(Result<Json>)>;

// Where the API is and who we are there. File names are opened by the Client: all but the token once, at create().
struct Access {
  std::string server;            // "https://10.0.2.15:6443", no path
  // More of them, of the same cluster. When one can't be reached or does not answer in time, the next requests go to the
  // next, in a ring. A request is never repeated by itself: a watch goes on there, others fail once.
  std::vector<std::string> more_servers;
  std::string ca_file;           // PEM
  std::string token_file;        // either a bearer token …
  std::string certificate_file;  // … or a client certificate (PEM) …
  std::string key_file;          // … and its key (PEM); none of them: anonymous

  // What every pod gets: KUBERNETES_SERVICE_HOST and _PORT, /var/run/secrets/kubernetes.io/serviceaccount.
  // Errors: not_found (not in a pod), bad_value.
  static Result<Access> in_cluster();
  // Asks this one first, what was first next. Errors (prefer_node): bad_value (no address).
  void prefer(const Endpoint& endpoint);
  Status prefer_node(std::string_view address);  // the API server of the node with this address, on kubeadm's port
  static Access with_certificate(std::string server, std::string ca, std::string certificate, std::string key);
  static Access with_token(std::string server, std::string ca, std::string token_file);
};

struct Limits {
  size_t answer = 32u << 20;     // bytes of one answer (or of one page of a list that watch() makes)
  size_t object = 4u << 20;      // bytes of one line of a watch
  int depth = 64;                // nesting of JSON
  int request_ms = 30'000;       // a whole request
  int connect_ms = 10'000;       // of it, until TLS is there
  int watch_s = 300;             // how long the server is asked to keep one watch open
  int silence_ms = 330'000;      // a watch without a byte (bookmarks come every minute) is given up
  int retry_first_ms = 500;      // a failed watch or list is repeated after this, doubling …
  int retry_most_ms = 30'000;    // … up to this
  int page = 500;                // objects per page of a list that watch() makes
  int update_tries = 8;          // update(): get-modify-replace rounds
};

enum class Change : uint8_t { added, modified, deleted };

// on_object: every object once as `added` at first, then each change. What vanished while no watch was open is told as
// `deleted` too, then with metadata {name, namespace, uid} only; what did not change is not told again.
// on_synced: after the first list, and after each later one. on_error: every failed attempt; the watch goes on anyway
// (also after api_denied: rights may be granted later) until cancel().
struct Watcher {
  std::function<void(Change, const Json& object)> on_object;
  std::function<void()> on_synced;           // may be empty
  std::function<void(const Error&)> on_error;  // may be empty
};

// One name as part of a path: everything but unreserved characters is percent-encoded; "." and ".." too.
std::string path_segment(std::string_view name);

class Client : public Participant {
 public:
  using Id = uint64_t;

  // Errors: bad_value (server URL), bad_certificate, bad_key, by errno for the files.
  static Result<std::unique_ptr<Client>> create(Access access, Limits limits = {});
  ~Client() override;

  // `path` starts with /api or another root of the API and may carry a query: "/api/v1/namespaces/x/configmaps/y".
  // It must be encoded already (path_segment) and is at most 2048 bytes of RFC 3986 path and query characters. /readyz,
  // /livez and /healthz, which answer in plain text, give {"text": "ok"}.
  Id get(std::string path, Answer done);
  Id create_object(std::string path, const Json& object, Answer done);  // POST to the collection
  Id replace(std::string path, const Json& object, Answer done);        // PUT; its resourceVersion guards against races
  // Server-side apply. `force` takes fields over from other managers; without it they give api_conflict.
  Id apply(std::string path, const Json& object, std::string_view field_manager, bool force, Answer done);
  Id merge_patch(std::string path, const Json& patch, Answer done);     // RFC 7396
  Id remove(std::string path, Answer done);                             // api_not_found when it is not there
  // get, `mutate`, replace; again from the start after api_conflict, at most limits.update_tries times. `mutate`
  // returns false when nothing is to be changed (then the object as it is goes to `done`) or an error, which goes to
  // `done`.
  Id update(std::string path, std::function<Result<bool>(Json& object)> mutate, Answer done);
  // Lists the collection, then watches it, for ever.
  Id watch(std::string path, Watcher watcher);
  void cancel(Id id);  // unknown ids are fine

  // `ended` is told how each request and each watch's stream ended (ok: as it should). For counting.
  void observe(std::function<void(Code)> ended);

  // What the server said about the failure that is being told ("nodes \"x\" is forbidden…"): printable ASCII, at most
  // 300 bytes, empty when it said nothing. Valid inside a callback; for logs.
  const std::string& problem() const;

  // For programs without a loop: runs this client alone until the operation that `start` begins is done.
  //   TRY_LET(Json node, client->wait([&](Answer done) { client->get(path, std::move(done)); }));
  // Not from inside a callback. Errors: of the operation.
  Result<Json> wait(const std::function<void(Answer)>& start);

  void prepare(PollSet& set) override;
  void dispatch(const PollSet& set) override;

 private:
  Client();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cstl::kubernetes
