// What a program counts about itself, and its text in the Prometheus exposition format, version 0.0.4.
//
// Plain memory of the one thread that runs the loop. Names are stable (docs/metrics.md). Label values are literals of the
// program (code_name() and its like), never what a peer sent: the number of series is bounded by the program's text. Nothing
// here is secret, and nothing secret may go in. No I/O, no logging.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

namespace cstl {

enum class MetricKind : uint8_t { counter, gauge, histogram };

constexpr size_t kMaxLabels = 2;
using LabelValues = std::array<const char*, kMaxLabels>;   // in the order of Metric::labels; nullptr where there is none

// A family. One object with static lifetime each: it is known by its address.
struct Metric {
  const char* name;                 // "cstl_joins_total"
  MetricKind kind;
  const char* help;                 // one line, without backslashes
  LabelValues labels{};             // names; histograms have none
};

// Upper bounds of a histogram's buckets, in seconds: from an appraisal (below a millisecond) to a slow TPM.
constexpr double kSecondsBuckets[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
constexpr size_t kBuckets = sizeof kSecondsBuckets / sizeof kSecondsBuckets[0];

class Metrics {
 public:
  Metrics() = default;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The family is part of text() from now on, in the order of these calls, and this series of it starts at 0. What can only
  // be known when it happens (a code) needs no such call: its series comes with its first value.
  void declare(const Metric& metric, LabelValues values = {});
  void add(const Metric& metric, LabelValues values = {}, double n = 1);
  void set(const Metric& metric, LabelValues values, double value);
  void observe(const Metric& histogram, double seconds);
  // Called at the begin of each text(), to set what is only looked up when asked for.
  void before_text(std::function<void()> refresh) { refresh_.push_back(std::move(refresh)); }
  std::string text();

 private:
  struct Series {
    LabelValues values;
    double value = 0;                                // of a histogram: the sum
    std::array<uint64_t, kBuckets + 1> buckets{};    // of a histogram; the last: above all bounds
  };
  struct Family {
    const Metric* metric;
    std::vector<Series> series;
  };
  Series& series(const Metric& metric, LabelValues values);

  std::vector<Family> families_;
  std::vector<std::function<void()>> refresh_;
};

// `value` as the format writes it: integers without a point.
std::string metric_number(double value);

// --- what every service has ---

// Build, start and the process's own figures that it can see: CPU, descriptors. `program`, `version`: literals.
void declare_process(Metrics& metrics, const char* program, const char* version);

}  // namespace cstl
