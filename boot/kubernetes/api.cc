#include "boot/kubernetes/api.h"

#include <unistd.h>

#include "boot/kubernetes/command.h"
#include "boot/kubernetes/objects.h"
#include "crypto/base/fd.h"

namespace cstl::kubernetes {
namespace {
constexpr const char* kManager = "cstl-bootstrapper";
constexpr int kPauseMs = 1000;
constexpr int kQuietMs = 10'000;

// A slow etcd makes the API server answer 500.
bool passing(const Error& error) {
  const Code code = error.code;
  return code == Code::api_unreachable || code == Code::api_busy || code == Code::api_conflict || code == Code::timeout ||
         (code == Code::api_refused && error.foreign >= 500);
}
}  // namespace

Result<Api> Api::open(Access access, const Report& report) {
  TRY_LET(auto client, Client::create(std::move(access)));
  return Api(std::move(client), report);
}

template <typename Start>
Result<nlohmann::json> Api::patiently(int patience_ms, bool missing_too, Start start) {
  const int64_t end = monotonic_ms() + patience_ms;
  int64_t told = monotonic_ms();
  for (;;) {
    std::string problem;
    auto answer = client_->wait([&](Answer done) {
      start([&problem, this, done = std::move(done)](Result<Json> result) {
        if (!result.ok()) problem = client_->problem();
        done(std::move(result));
      });
    });
    if (answer.ok()) return answer;
    const bool again = passing(answer.error()) || (missing_too && answer.code() == Code::api_not_found);
    if (!again || monotonic_ms() >= end) {
      if (!problem.empty()) report_->line("API server: " + problem);
      return answer;
    }
    if (monotonic_ms() - told >= kQuietMs) {
      told = monotonic_ms();
      report_->line(printable_line("waiting for the API server: " + (problem.empty() ? code_what(answer.code()) : problem)));
    }
    usleep(kPauseMs * 1000);
  }
}

Result<nlohmann::json> Api::get(const std::string& path, int patience_ms) {
  return patiently(patience_ms, false, [&](Answer done) { client_->get(path, std::move(done)); });
}

Status Api::apply(const nlohmann::json& object, int patience_ms) {
  TRY_LET(std::string path, object_path(object));
  TRY(patiently(patience_ms, true, [&](Answer done) { client_->apply(path, object, kManager, true, std::move(done)); }));
  return success();
}

Status Api::remove(const std::string& path, int patience_ms) {
  auto gone = patiently(patience_ms, false, [&](Answer done) { client_->remove(path, std::move(done)); });
  if (!gone.ok() && gone.code() != Code::api_not_found) return gone.error();
  return success();
}

Status Api::merge(const std::string& path, const nlohmann::json& patch, int patience_ms) {
  TRY(patiently(patience_ms, false, [&](Answer done) { client_->merge_patch(path, patch, std::move(done)); }));
  return success();
}

Result<nlohmann::json> Api::post(const std::string& path, const nlohmann::json& body, int patience_ms) {
  return patiently(patience_ms, false, [&](Answer done) { client_->create_object(path, body, std::move(done)); });
}

Status Api::post_once(const std::string& path, const nlohmann::json& body) {
  std::string problem;
  auto answer = client_->wait([&](Answer done) {
    client_->create_object(path, body, [&problem, this, done = std::move(done)](Result<Json> result) {
      if (!result.ok()) problem = client_->problem();
      done(std::move(result));
    });
  });
  if (answer.ok()) return success();
  report_->line(printable_line("refused: " + (problem.empty() ? code_what(answer.code()) : problem)));
  return answer.error();
}

Status Api::wait_for_node(const std::string& name, int patience_ms) {
  auto node = patiently(patience_ms, true, [&](Answer done) {
    client_->get("/api/v1/nodes/" + path_segment(name), std::move(done));
  });
  if (node.code() == Code::api_not_found) return fail(Code::node_not_registered, "node.wait");
  if (!node.ok()) return node.error();
  return success();
}

}  // namespace cstl::kubernetes
