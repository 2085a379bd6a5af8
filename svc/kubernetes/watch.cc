#include "svc/kubernetes/watch.h"

#include <algorithm>

#include "crypto/base/fd.h"

namespace cstl::kubernetes {

namespace {
constexpr int kShortLived = 1000;      // a stream that ends sooner without an event is a failure
constexpr size_t kMaxKnown = 1 << 20;  // objects of one collection

// What is told of an object that vanished unseen.
Json remains_of(const std::string& name, const std::string& uid) {
  Json metadata = {{"uid", uid}};
  size_t slash = name.find('/');
  if (slash != std::string::npos) metadata["namespace"] = name.substr(0, slash);
  metadata["name"] = slash == std::string::npos ? name : name.substr(slash + 1);
  return Json{{"metadata", std::move(metadata)}};
}
}  // namespace

Watch::Watch(Requests& requests, std::string path, Watcher watcher)
    : requests_(requests), path_(std::move(path)), watcher_(std::move(watcher)) {}

Watch::~Watch() { cancel(); }

void Watch::cancel() {
  cancelled_ = true;
  due_ = kNoDeadline;
  if (request_ != 0) requests_.stop(request_);
  request_ = 0;
}

void Watch::tick() {
  if (cancelled_ || request_ != 0 || monotonic_ms() < due_) return;
  due_ = kNoDeadline;
  if (version_.empty() || !next_page_.empty()) {
    list();
  } else {
    follow();
  }
}

std::string Watch::with_query(const std::string& query) const {
  return path_ + (path_.find('?') == std::string::npos ? "?" : "&") + query;
}

void Watch::list() {
  if (next_page_.empty()) ++round_;
  std::string query = "limit=" + std::to_string(requests_.limits().page);
  if (!next_page_.empty()) query += "&continue=" + path_segment(next_page_);
  request_ = requests_.send("GET", with_query(query), nullptr, "", [this](Result<Json> answer) {
    request_ = 0;
    on_page(std::move(answer));
  });
}

void Watch::on_page(Result<Json> answer) {
  if (!answer) {
    next_page_.clear();  // an expired continue token (410) too: from the start
    return retry(answer.error());
  }
  auto page = read_page(*answer);
  if (!page) return retry(page.error());
  for (const Json& item : *page->items) {
    auto key = key_of(item);
    if (!key) return retry(key.error());
    see(std::move(*key), item, EventKind::added);
    if (cancelled_) return;
    if (known_.size() > kMaxKnown) return retry(fail(Code::api_garbage, "kubernetes.too_many_objects"));
  }
  next_page_ = page->next;
  if (next_page_.empty()) {
    version_ = page->version;
    forget_unseen();
    if (cancelled_) return;
    backoff_ms_ = 0;
    if (watcher_.on_synced) watcher_.on_synced();
    if (cancelled_) return;
  }
  due_ = 0;
}

void Watch::see(ObjectKey key, const Json& object, EventKind kind) {
  auto found = known_.find(key.name);
  if (kind == EventKind::deleted) {
    if (found == known_.end()) return;
    known_.erase(found);
    return tell(Change::deleted, object);
  }
  Change change = Change::added;
  if (found != known_.end() && found->second.uid == key.uid) {
    found->second.round = round_;
    if (found->second.version == key.version && !key.version.empty()) return;
    change = Change::modified;
  } else if (found != known_.end()) {  // another object of the same name
    Json gone = remains_of(key.name, found->second.uid);
    known_.erase(found);
    tell(Change::deleted, gone);
    if (cancelled_) return;
  }
  known_[key.name] = Known{std::move(key.uid), std::move(key.version), round_};
  tell(change, object);
}

void Watch::forget_unseen() {
  for (auto entry = known_.begin(); entry != known_.end();) {
    if (entry->second.round == round_) {
      ++entry;
      continue;
    }
    Json gone = remains_of(entry->first, entry->second.uid);
    entry = known_.erase(entry);
    tell(Change::deleted, gone);
    if (cancelled_) return;
  }
}

void Watch::tell(Change change, const Json& object) {
  if (watcher_.on_object) watcher_.on_object(change, object);
}

void Watch::follow() {
  stream_error_ = success();
  opened_ = monotonic_ms();
  std::string query = "watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(requests_.limits().watch_s) +
                      "&resourceVersion=" + path_segment(version_);
  request_ = requests_.stream(
      with_query(query), [this](const std::string& line) { on_line(line); },
      [this](Status ended) {
        request_ = 0;
        on_end(ended);
      });
}

void Watch::on_line(const std::string& line) {
  if (!stream_error_.ok()) return;
  const Limits& limits = requests_.limits();
  auto event = parse_event(line, limits.object, limits.depth);
  if (!event) {
    stream_error_ = event.error();
  } else if (event->kind == EventKind::error) {
    requests_.set_problem(status_message(event->object));
    stream_error_ = status_error(event->status);
  }
  if (!stream_error_.ok()) {
    requests_.stop(request_);
    request_ = 0;
    return on_end(stream_error_);
  }
  if (!event->key.version.empty()) version_ = event->key.version;
  if (event->kind == EventKind::bookmark) return;
  backoff_ms_ = 0;
  see(std::move(event->key), event->object, event->kind);
}

void Watch::on_end(Status ended) {
  if (cancelled_) return;
  if (ended.ok()) {
    // The server's time for one watch is over, or it stopped. One that ends at once is not opened again in a hurry.
    backoff_ms_ = monotonic_ms() - opened_ < kShortLived ? backoff_ms_ : 0;
    if (monotonic_ms() - opened_ < kShortLived) return retry(fail(Code::api_unreachable, "kubernetes.watch_ended"));
    due_ = 0;
    return;
  }
  // From where it stopped after a lost connection; with a list after everything that the server or its answer says.
  if (ended.code() != Code::api_unreachable && ended.code() != Code::timeout) version_.clear();
  retry(ended.error());
}

void Watch::retry(const Error& error) {
  const Limits& limits = requests_.limits();
  backoff_ms_ = backoff_ms_ == 0 ? limits.retry_first_ms : std::min(backoff_ms_ * 2, limits.retry_most_ms);
  due_ = monotonic_ms() + backoff_ms_;
  if (watcher_.on_error) watcher_.on_error(error);
}

}  // namespace cstl::kubernetes
