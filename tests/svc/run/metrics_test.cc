#include "svc/run/metrics.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <ctime>

#include "crypto/base/fd.h"

namespace cstl {
namespace {

constexpr Metric kJoins{"t_joins_total", MetricKind::counter, "Joins, by two labels.", {"verdict", "reason"}};
constexpr Metric kOpen{"t_open", MetricKind::gauge, "Open ones."};
constexpr Metric kSeconds{"t_seconds", MetricKind::histogram, "How long."};

double value_of(const std::string& text, const std::string& series) {
  size_t at = text.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + series.size() + 2, nullptr);
}

TEST_CASE("families stand in the order of their declaration, each with help, type and its series") {
  Metrics metrics;
  CHECK(metrics.text().empty());
  metrics.declare(kOpen);
  metrics.declare(kJoins, {"admitted", "ok"});
  metrics.add(kJoins, {"refused", "role_refused"});
  metrics.add(kJoins, {"refused", "role_refused"}, 2);
  metrics.set(kOpen, {}, 7.5);
  CHECK(metrics.text() ==
        "# HELP t_open Open ones.\n# TYPE t_open gauge\nt_open 7.5\n"
        "# HELP t_joins_total Joins, by two labels.\n# TYPE t_joins_total counter\n"
        "t_joins_total{verdict=\"admitted\",reason=\"ok\"} 0\nt_joins_total{verdict=\"refused\",reason=\"role_refused\"} 3\n");
}

TEST_CASE("label values are compared as text, not as addresses") {
  Metrics metrics;
  const std::string copy = "refused";
  metrics.add(kJoins, {"refused", "ok"});
  metrics.add(kJoins, {copy.c_str(), "ok"});
  CHECK(value_of(metrics.text(), "t_joins_total{verdict=\"refused\",reason=\"ok\"}") == 2);
}

TEST_CASE("a histogram's buckets are cumulative, and a bound belongs to its bucket") {
  Metrics metrics;
  for (double seconds : {0.0, 0.0005, 0.0006, 0.5, 30.0, 31.0}) metrics.observe(kSeconds, seconds);
  const std::string text = metrics.text();
  struct Row { const char* bound; double count; } rows[] = {{"0.0005", 2}, {"0.001", 3}, {"0.25", 3}, {"0.5", 4},
                                                            {"10", 4},     {"30", 5},    {"+Inf", 6}};
  for (const Row& row : rows) CHECK(value_of(text, std::string("t_seconds_bucket{le=\"") + row.bound + "\"}") == row.count);
  CHECK(value_of(text, "t_seconds_count") == 6);
  CHECK(value_of(text, "t_seconds_sum") == doctest::Approx(61.5011));
  CHECK(text.find("# TYPE t_seconds histogram\n") != std::string::npos);
}

TEST_CASE("numbers are whole where they can be, and never in a locale's form") {
  struct Row { double value; const char* text; } rows[] = {{0, "0"}, {1, "1"}, {1e6, "1000000"}, {123456789012345.0, "123456789012345"},
                                                           {0.25, "0.25"}, {1.0 / 3, "0.333333333"}, {-2, "-2"}, {1e18, "1e+18"}};
  for (const Row& row : rows) CHECK(metric_number(row.value) == row.text);
}

TEST_CASE("what is only looked up when asked for is looked up each time") {
  Metrics metrics;
  int asked = 0;
  metrics.before_text([&] { metrics.set(kOpen, {}, ++asked); });
  CHECK(value_of("\n" + metrics.text(), "t_open") == 1);
  CHECK(value_of("\n" + metrics.text(), "t_open") == 2);
}

TEST_CASE("the process's own figures are those of the kernel") {
  Metrics metrics;
  declare_process(metrics, "cstl-test", "1.2.3");
  std::string text = metrics.text();
  CHECK(text.find("\ncstl_build_info{program=\"cstl-test\",version=\"1.2.3\"} 1\n") != std::string::npos);
  const double open = value_of(text, "process_open_fds");
  CHECK(open >= 3);
  int pair[2];
  REQUIRE(pipe(pair) == 0);
  Fd one(pair[0]), other(pair[1]);
  CHECK(value_of(metrics.text(), "process_open_fds") == open + 2);
  CHECK(value_of(text, "process_cpu_seconds_total") > 0);
  const double started = value_of(text, "process_start_time_seconds");
  CHECK(started <= static_cast<double>(time(nullptr)));
  CHECK(started > static_cast<double>(time(nullptr)) - 10);
}

}  // namespace
}  // namespace cstl
