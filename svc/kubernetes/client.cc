#include "svc/kubernetes/client.h"

#include <algorithm>
#include <map>

#include "crypto/base/fd.h"
#include "svc/kubernetes/watch.h"

namespace cstl::kubernetes {

namespace {
constexpr const char* kJson = "application/json";
constexpr const char* kApply = "application/apply-patch+yaml";  // JSON is YAML
constexpr const char* kMerge = "application/merge-patch+json";
constexpr int kUpdatePause = 20;  // ms before the second round of update(), doubling

// An answer may hold any bytes that parse_json let through; what is sent is valid UTF-8 in any case.
std::string text_of(const Json& object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace); }
}  // namespace

struct Client::State {
  // get-modify-replace under way.
  struct Update {
    std::string path;
    std::function<Result<bool>(Json&)> mutate;
    Answer done;
    int tries = 0;
    int64_t due = kNoDeadline;       // of the next round
    Requests::Id request = 0;
  };

  std::unique_ptr<Requests> requests;
  std::map<Id, Requests::Id> simple;
  std::map<Id, std::unique_ptr<Update>> updates;
  std::map<Id, std::unique_ptr<Watch>> watches;
  std::vector<std::unique_ptr<Watch>> cancelled;  // ended at the end of a turn: one may be calling us
  Id next = 1;

  Id send(const char* method, std::string path, const char* type, std::string body, Answer done) {
    Id id = next++;
    simple[id] = requests->send(method, std::move(path), type, std::move(body),
                                [this, id, done = std::move(done)](Result<Json> answer) {
                                  simple.erase(id);
                                  done(std::move(answer));
                                });
    return id;
  }

  void round(Id id, Update& update) {
    update.due = kNoDeadline;
    ++update.tries;
    update.request = requests->send("GET", update.path, nullptr, "",
                                    [this, id](Result<Json> answer) { got(id, std::move(answer)); });
  }

  void got(Id id, Result<Json> answer) {
    auto found = updates.find(id);
    if (found == updates.end()) return;
    Update& update = *found->second;
    if (!answer) return end(id, std::move(answer));
    auto changed = update.mutate(*answer);
    if (updates.count(id) == 0) return;  // mutate() cancelled it
    if (!changed) return end(id, changed.error());
    if (!*changed) return end(id, std::move(answer));
    update.request = requests->send("PUT", update.path, kJson, text_of(*answer), [this, id](Result<Json> replaced) {
      auto again = updates.find(id);
      if (again == updates.end()) return;
      Update& same = *again->second;
      if (replaced.code() != Code::api_conflict || same.tries >= requests->limits().update_tries) {
        return end(id, std::move(replaced));
      }
      same.due = monotonic_ms() + (kUpdatePause << std::min(same.tries - 1, 6));
    });
  }

  void end(Id id, Result<Json> answer) {
    auto found = updates.find(id);
    std::unique_ptr<Update> update = std::move(found->second);
    updates.erase(found);
    update->done(std::move(answer));
  }
};

Client::Client() : state_(new State) {}

Client::~Client() {
  // Watches stop their requests, so they go first.
  state_->watches.clear();
  state_->cancelled.clear();
}

Result<std::unique_ptr<Client>> Client::create(Access access, Limits limits) {
  TRY_LET(std::unique_ptr<Requests> requests, Requests::create(std::move(access), limits));
  std::unique_ptr<Client> client(new Client);
  client->state_->requests = std::move(requests);
  return client;
}

Client::Id Client::get(std::string path, Answer done) {
  return state_->send("GET", std::move(path), nullptr, "", std::move(done));
}

Client::Id Client::create_object(std::string path, const Json& object, Answer done) {
  return state_->send("POST", std::move(path), kJson, text_of(object), std::move(done));
}

Client::Id Client::replace(std::string path, const Json& object, Answer done) {
  return state_->send("PUT", std::move(path), kJson, text_of(object), std::move(done));
}

Client::Id Client::apply(std::string path, const Json& object, std::string_view field_manager, bool force,
                         Answer done) {
  path += path.find('?') == std::string::npos ? '?' : '&';
  path += "fieldManager=" + path_segment(field_manager) + (force ? "&force=true" : "");
  return state_->send("PATCH", std::move(path), kApply, text_of(object), std::move(done));
}

Client::Id Client::merge_patch(std::string path, const Json& patch, Answer done) {
  return state_->send("PATCH", std::move(path), kMerge, text_of(patch), std::move(done));
}

Client::Id Client::remove(std::string path, Answer done) {
  return state_->send("DELETE", std::move(path), nullptr, "", std::move(done));
}

Client::Id Client::update(std::string path, std::function<Result<bool>(Json&)> mutate, Answer done) {
  Id id = state_->next++;
  auto update = std::make_unique<State::Update>();
  update->path = std::move(path);
  update->mutate = std::move(mutate);
  update->done = std::move(done);
  auto [entry, inserted] = state_->updates.emplace(id, std::move(update));
  state_->round(id, *entry->second);
  return id;
}

Client::Id Client::watch(std::string path, Watcher watcher) {
  Id id = state_->next++;
  state_->watches[id] = std::make_unique<Watch>(*state_->requests, std::move(path), std::move(watcher));
  return id;
}

void Client::cancel(Id id) {
  State& state = *state_;
  if (auto simple = state.simple.find(id); simple != state.simple.end()) {
    state.requests->stop(simple->second);
    state.simple.erase(simple);
  } else if (auto update = state.updates.find(id); update != state.updates.end()) {
    state.requests->stop(update->second->request);
    state.updates.erase(update);
  } else if (auto watch = state.watches.find(id); watch != state.watches.end()) {
    watch->second->cancel();
    state.cancelled.push_back(std::move(watch->second));
    state.watches.erase(watch);
  }
}

void Client::observe(std::function<void(Code)> ended) { state_->requests->on_ended = std::move(ended); }

const std::string& Client::problem() const { return state_->requests->problem(); }

Result<Json> Client::wait(const std::function<void(Answer)>& start) {
  struct Ended {
    bool yes = false;
    Result<Json> answer = fail(Code::internal, "kubernetes.wait");
  };
  auto ended = std::make_shared<Ended>();  // outlives an operation that the caller forgets
  start([ended](Result<Json> answer) {
    ended->yes = true;
    ended->answer = std::move(answer);
  });
  Loop loop;
  loop.add(*this);
  while (!ended->yes) TRY(loop.poll_once(-1));
  loop.remove(*this);
  return std::move(ended->answer);
}

void Client::prepare(PollSet& set) {
  state_->requests->participant().prepare(set);
  for (auto& [id, watch] : state_->watches) set.wake_by(watch->due());
  for (auto& [id, update] : state_->updates) set.wake_by(update->due);
}

void Client::dispatch(const PollSet& set) {
  State& state = *state_;
  state.requests->participant().dispatch(set);
  int64_t now = monotonic_ms();
  for (auto& [id, watch] : state.watches) watch->tick();  // starts requests, calls nobody
  for (auto& [id, update] : state.updates) {
    if (update->due <= now) state.round(id, *update);
  }
  state.cancelled.clear();
}

}  // namespace cstl::kubernetes
