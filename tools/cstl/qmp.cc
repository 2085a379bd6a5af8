#include "tools/cstl/qmp.h"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "crypto/base/json.h"
#include "tools/cstl/command.h"

namespace cstl::cli {

namespace {
using nlohmann::json;
constexpr size_t kMaxLine = 64 * 1024;
constexpr int kAnswerMs = 10000;
constexpr int kMaxEvents = 64;  // that may come before an answer
}  // namespace

Result<Qmp> Qmp::connect(const std::string& folder, const std::string& name) {
  TRY_LET(Fd place, open_file(folder.c_str(), O_RDONLY | O_DIRECTORY));
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail_errno("qmp.socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string path = "/proc/self/fd/" + std::to_string(place.get()) + "/" + name;
  if (path.size() >= sizeof address.sun_path) return fail(Code::too_long, "qmp.path");
  path.copy(address.sun_path, path.size());
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return fail(Code::no_virtualization, "qmp.connect", Origin::errno_value, errno);
  }
  Qmp out(std::move(fd));
  TRY_LET(json greeting, out.read_line());
  if (!greeting.contains("QMP")) return fail(Code::bad_json, "qmp.greeting");
  std::string problem;
  TRY(out.command("qmp_capabilities", json::object(), &problem));
  return out;
}

Result<json> Qmp::read_line() {
  int64_t deadline = monotonic_ms() + kAnswerMs;
  for (;;) {
    size_t end = pending_.find('\n');
    if (end != std::string::npos) {
      auto value = parse_json(std::string_view(pending_).substr(0, end), kMaxLine);
      pending_.erase(0, end + 1);
      if (value.ok() && !value->is_object()) return fail(Code::bad_json, "qmp.kind");
      return value;
    }
    if (pending_.size() > kMaxLine) return fail(Code::too_long, "qmp.line");
    int64_t left = deadline - monotonic_ms();
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) == 0) return fail(Code::timeout, "qmp.answer");
    char buffer[4096];
    ssize_t got = read(fd_.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(Code::no_virtualization, "qmp.closed");
    pending_.append(buffer, static_cast<size_t>(got));
  }
}

Result<json> Qmp::exchange(const std::string& name, const json& arguments, std::string* problem) {
  json request = {{"execute", name}};
  if (!arguments.empty()) request["arguments"] = arguments;
  std::string line = request.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
  TRY(write_all(fd_.get(), line));
  for (int i = 0; i < kMaxEvents; ++i) {
    TRY_LET(json answer, read_line());
    if (answer.contains("return")) return answer["return"];
    if (!answer.contains("error")) continue;  // an event
    const json& error = answer["error"];
    bool told = error.is_object() && error.contains("desc") && error["desc"].is_string();
    *problem = name + ": " + (told ? printable(error["desc"].get_ref<const std::string&>()) : "refused");
    return fail(Code::no_virtualization, "qmp.refused");
  }
  return fail(Code::bad_json, "qmp.events");
}

Status Qmp::command(const std::string& name, const json& arguments, std::string* problem) {
  auto answer = exchange(name, arguments, problem);
  return answer.ok() ? success() : Status(answer.error());
}

Status Qmp::monitor(const std::string& line, std::string* problem) {
  TRY_LET(json answer, exchange("human-monitor-command", {{"command-line", line}}, problem));
  if (answer.is_string() && answer.get_ref<const std::string&>().empty()) return success();
  *problem = line + ": " + (answer.is_string() ? printable(answer.get_ref<const std::string&>()) : "refused");
  return fail(Code::no_virtualization, "qmp.monitor");
}

}  // namespace cstl::cli
