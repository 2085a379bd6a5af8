// The service's side of its exporter: what it answers, and what it takes from a child that is no longer its own. The child's
// HTTP is tested on the shipped programs (tests/svc/metrics_test.sh), its sandbox too (tests/svc/live/sandbox_test.cc).
#include "svc/run/exporter.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cstl {
namespace {

constexpr Metric kOne{"t_one_total", MetricKind::counter, "One."};

struct Watched {
  Watched() {
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    child = Fd(pair[1]);
    exporter = Exporter::over(Fd(pair[0]));
    metrics.declare(kOne);
    exporter->serve(metrics, {[this] { return reason; }, [this](const Error& error) { ended.push_back(error.code); }});
    loop.add(*exporter);
  }
  void turns(int count = 3) {
    for (int i = 0; i < count; ++i) REQUIRE(loop.poll_once(1).ok());
  }
  void say(std::string_view bytes) { REQUIRE(write(child.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())); }
  std::string hear() {
    std::string all;
    char chunk[65536];
    for (;;) {
      turns(1);
      ssize_t n = read(child.get(), chunk, sizeof chunk);
      if (n <= 0) return all;
      all.append(chunk, static_cast<size_t>(n));
    }
  }

  Metrics metrics;
  const char* reason = nullptr;
  std::vector<Code> ended;
  Loop loop;
  Fd child;
  std::unique_ptr<Exporter> exporter;
};

std::string answer(char which, bool ok, const std::string& text) {
  std::string out{which, static_cast<char>(ok), 0, 0, static_cast<char>(text.size() >> 8), static_cast<char>(text.size())};
  return out + text;
}

TEST_CASE("each question gets its answer, with its number") {
  Watched watched;
  watched.say("h\x01");
  CHECK(watched.hear() == answer(1, true, "ok"));
  watched.say("r\x02");
  CHECK(watched.hear() == answer(2, true, "ok"));
  watched.reason = "the records were not read yet";
  watched.say("r\x03");
  CHECK(watched.hear() == answer(3, false, "the records were not read yet"));
  watched.say("h\x04");
  CHECK(watched.hear() == answer(4, true, "ok"));
  watched.metrics.add(kOne);
  watched.say("m\x05");
  CHECK(watched.hear() == answer(5, true, watched.metrics.text()));
  CHECK(watched.metrics.text().find("t_one_total 1\n") != std::string::npos);
  CHECK(watched.ended.empty());
}

TEST_CASE("questions that come together are answered one after the other") {
  Watched watched;
  watched.say("h\x01r\x02h\x03");
  watched.turns(8);
  CHECK(watched.hear() == answer(1, true, "ok") + answer(2, true, "ok") + answer(3, true, "ok"));
}

TEST_CASE("a child that says anything else is left, once, and the loop goes on") {
  struct Row { const char* name; std::string bytes; Code code; } rows[] = {
      {"another question", "x\x01", Code::bad_value},
      {"half a question", "m", Code::truncated},
      {"zeros", std::string(2, '\0'), Code::bad_value},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    Watched watched;
    watched.say(row.bytes);
    watched.turns();
    REQUIRE(watched.ended.size() == 1);
    CHECK(watched.ended[0] == row.code);
    CHECK(watched.hear().empty());
  }
}

TEST_CASE("a child that ends is told once") {
  Watched watched;
  watched.child = Fd();
  watched.turns(6);
  CHECK(watched.ended == std::vector<Code>{Code::closed});
}

TEST_CASE("a child that does not take its answers costs one answer of memory, and no time") {
  Watched watched;
  int size = 4096;
  REQUIRE(setsockopt(watched.child.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
  static std::vector<Metric> many(2000, kOne);
  for (const Metric& metric : many) watched.metrics.declare(metric);
  const size_t each = watched.metrics.text().size();
  REQUIRE(each > 50'000);
  std::string questions;
  for (int i = 0; i < 200; ++i) questions += std::string("m") + static_cast<char>(i);
  watched.say(questions);
  watched.turns(50);
  CHECK(watched.ended.empty());
  size_t heard = 0;
  for (int i = 0; i < 3000 && heard < 200 * (each + kExporterHead); ++i) heard += watched.hear().size();
  CHECK(heard == 200 * (each + kExporterHead));
}

TEST_CASE("more text than there may be is told as such") {
  Watched watched;
  static std::vector<Metric> many(9000, kOne);
  for (const Metric& metric : many) watched.metrics.declare(metric);
  REQUIRE(watched.metrics.text().size() > kMaxExporterText);
  watched.say("m\x07");
  CHECK(watched.hear() == answer(7, false, "too much text"));
}

TEST_CASE("only a loopback address is served") {
  for (const char* endpoint : {"0.0.0.0:0", "[::]:0"}) {
    auto made = Exporter::start(endpoint);
    CHECK(made.code() == Code::bad_value);
    CHECK(std::string(made.error().site) == "exporter.not_loopback");
  }
  for (const char* endpoint : {"", "127.0.0.1", "localhost:9190", "127.0.0.1:65536"}) {
    CHECK(Exporter::start(endpoint).code() == Code::bad_value);
  }
}

}  // namespace
}  // namespace cstl
