// Requests to one Kubernetes API server: paths checked, the token added, what comes back made a JSON object or an
// Error.
#pragma once

#include <map>

#include "svc/kubernetes/access.h"
#include "svc/kubernetes/client.h"
#include "svc/kubernetes/transfer.h"

namespace cstl::kubernetes {

class Requests {
 public:
  using Id = uint64_t;
  static Result<std::unique_ptr<Requests>> create(Access access, const Limits& limits);

  // `done` comes later, from dispatch(). A request that the server answers with 401 is repeated once if the token's
  // file holds another token by then.
  Id send(const char* method, std::string path, const char* content_type, std::string body, Answer done);
  // A GET that answers with lines. done: success when the server ended it.
  Id stream(std::string path, std::function<void(std::string line)> on_line, std::function<void(Status)> done);
  void stop(Id id);
  ~Requests();

  // Told how each request, and each watch's stream, ended. May be empty.
  std::function<void(Code)> on_ended;

  const Limits& limits() const { return limits_; }
  const std::string& problem() const { return problem_; }
  void set_problem(std::string text) { problem_ = std::move(text); }
  Participant& participant() { return *transfers_; }

 private:
  struct Request {
    const char* method;
    std::string path;
    const char* content_type;
    std::string body;
    Answer done;
    bool repeated = false;
    size_t server = 0;
    Transfers::Id transfer = 0;
  };
  Requests(std::vector<std::string> servers, Identity identity, std::string token_file, const Limits& limits)
      : servers_(std::move(servers)), identity_(std::move(identity)), token_(std::move(token_file)), limits_(limits) {}
  void begin(Id id, Request& request);
  void finish(Id id, Reply reply);
  Result<Json> read_reply(const Reply& reply, bool text_allowed);
  Exchange exchange_of(const std::string& path, Status* refused);
  void judge_server(size_t asked, const Status& transport);

  std::vector<std::string> servers_;
  size_t current_ = 0;        // of servers_
  Identity identity_;
  TokenFile token_;
  Limits limits_;
  std::string problem_;
  std::unique_ptr<Transfers> transfers_;
  std::map<Id, Request> requests_;
  std::map<Id, Transfers::Id> streams_;
  Id next_ = 1;
};

// The error that stands for an HTTP status from 300.
Error status_error(int status);

}  // namespace cstl::kubernetes
