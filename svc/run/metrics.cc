#include "svc/run/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <poll.h>
#include <sys/resource.h>

#include "crypto/base/result.h"

namespace cstl {

namespace {
constexpr size_t kCountedDescriptors = 8192;   // higher ones are not counted
constexpr size_t kPolled = 512;

bool same(const LabelValues& a, const LabelValues& b) {
  for (size_t i = 0; i < kMaxLabels; ++i) {
    if ((a[i] == nullptr) != (b[i] == nullptr) || (a[i] != nullptr && std::strcmp(a[i], b[i]) != 0)) return false;
  }
  return true;
}

void append_sample(std::string& out, const char* name, const char* suffix, const LabelValues& names,
                   const LabelValues& values, const std::string& bound, const std::string& value) {
  out += name;
  out += suffix;
  char before = '{';
  auto label = [&](const char* key, const std::string& text) {
    out += before;
    out += std::string(key) + "=\"" + text + '"';
    before = ',';
  };
  for (size_t i = 0; i < kMaxLabels; ++i) {
    if (names[i] != nullptr) label(names[i], values[i]);
  }
  if (!bound.empty()) label("le", bound);
  if (before == ',') out += '}';
  out += ' ' + value + '\n';
}

const char* kind_name(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter: return "counter";
    case MetricKind::gauge: return "gauge";
    case MetricKind::histogram: break;
  }
  return "histogram";
}

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// A confined process cannot look into /proc; poll(2) says POLLNVAL for what is not open.
size_t open_descriptors(size_t limit) {
  size_t open = 0;
  pollfd fds[kPolled];
  for (size_t first = 0; first < limit; first += kPolled) {
    const size_t count = std::min(kPolled, limit - first);
    for (size_t i = 0; i < count; ++i) fds[i] = pollfd{static_cast<int>(first + i), 0, 0};
    if (poll(fds, count, 0) < 0) continue;
    for (size_t i = 0; i < count; ++i) open += (fds[i].revents & POLLNVAL) == 0;
  }
  return open;
}
}  // namespace

std::string metric_number(double value) {
  char text[40];
  const bool whole = std::fabs(value) < 1e15 && value == std::floor(value);
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.9g", value);
  return text;
}

Metrics::Series& Metrics::series(const Metric& metric, LabelValues values) {
  for (size_t i = 0; i < kMaxLabels; ++i) {
    if ((metric.labels[i] == nullptr) != (values[i] == nullptr)) trap("metrics.labels");
  }
  auto known = std::find_if(families_.begin(), families_.end(), [&](const Family& f) { return f.metric == &metric; });
  if (known == families_.end()) known = families_.insert(families_.end(), Family{&metric, {}});
  for (Series& series : known->series) {
    if (same(series.values, values)) return series;
  }
  known->series.push_back(Series{values});
  return known->series.back();
}

void Metrics::declare(const Metric& metric, LabelValues values) { (void)series(metric, values); }

void Metrics::add(const Metric& metric, LabelValues values, double n) { series(metric, values).value += n; }

void Metrics::set(const Metric& metric, LabelValues values, double value) { series(metric, values).value = value; }

void Metrics::observe(const Metric& histogram, double seconds) {
  Series& s = series(histogram, {});
  const double* bound = std::lower_bound(kSecondsBuckets, kSecondsBuckets + kBuckets, seconds);
  ++s.buckets[static_cast<size_t>(bound - kSecondsBuckets)];
  s.value += seconds;
}

std::string Metrics::text() {
  for (auto& refresh : refresh_) refresh();
  std::string out;
  for (const Family& family : families_) {
    const Metric& m = *family.metric;
    out += std::string("# HELP ") + m.name + ' ' + m.help + "\n# TYPE " + m.name + ' ' + kind_name(m.kind) + '\n';
    for (const Series& s : family.series) {
      if (m.kind != MetricKind::histogram) {
        append_sample(out, m.name, "", m.labels, s.values, "", metric_number(s.value));
        continue;
      }
      uint64_t below = 0;
      for (size_t i = 0; i <= kBuckets; ++i) {
        below += s.buckets[i];
        const std::string bound = i < kBuckets ? metric_number(kSecondsBuckets[i]) : "+Inf";
        append_sample(out, m.name, "_bucket", m.labels, s.values, bound, metric_number(static_cast<double>(below)));
      }
      append_sample(out, m.name, "_sum", m.labels, s.values, "", metric_number(s.value));
      append_sample(out, m.name, "_count", m.labels, s.values, "", metric_number(static_cast<double>(below)));
    }
  }
  return out;
}

void declare_process(Metrics& metrics, const char* program, const char* version) {
  static constexpr Metric kBuild{"cstl_build_info", MetricKind::gauge, "Always 1; the labels tell what runs.",
                                 {"program", "version"}};
  static constexpr Metric kStart{"process_start_time_seconds", MetricKind::gauge, "When the process started, Unix time."};
  static constexpr Metric kCpu{"process_cpu_seconds_total", MetricKind::counter, "CPU time, user and system."};
  static constexpr Metric kOpen{"process_open_fds", MetricKind::gauge, "Open file descriptors."};
  static constexpr Metric kMost{"process_max_fds", MetricKind::gauge, "File descriptors that may be open."};
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = kCountedDescriptors;
  metrics.set(kBuild, {program, version}, 1);
  metrics.set(kStart, {}, std::floor(seconds_of(CLOCK_REALTIME)));
  metrics.declare(kCpu);
  metrics.declare(kOpen);
  metrics.set(kMost, {}, static_cast<double>(limit.rlim_cur));
  const size_t counted = static_cast<size_t>(std::min<rlim_t>(limit.rlim_cur, kCountedDescriptors));
  metrics.before_text([&metrics, counted] {
    metrics.set(kCpu, {}, seconds_of(CLOCK_PROCESS_CPUTIME_ID));
    metrics.set(kOpen, {}, static_cast<double>(open_descriptors(counted)));
  });
}

}  // namespace cstl
