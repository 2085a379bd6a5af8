// A cloud's metadata service that isn't the cloud's: HTTP, one request per connection, answered by the test.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace cstl::test {

struct MetadataAnswer {
  int status = 404;
  std::string body;
};

class MetadataServer {
 public:
  // `handler` runs in a thread of its own. Requests without the header "Metadata: true" get 400, as Azure's service does.
  using Handler = std::function<MetadataAnswer(const std::string& method, const std::string& path, const std::string& body)>;
  // `address`: of this machine; port 0: any that is free.
  static std::unique_ptr<MetadataServer> start(Handler handler, const std::string& address = "127.0.0.1",
                                               uint16_t port = 0);
  ~MetadataServer();
  std::string base() const;   // "http://127.0.0.1:…", or at what else it was started

 private:
  MetadataServer();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cstl::test
