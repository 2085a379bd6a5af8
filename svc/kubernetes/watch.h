// One watch: list, then follow, for ever. See Client::watch() for what the Watcher is told.
#pragma once

#include <map>
#include <string>

#include "svc/kubernetes/events.h"
#include "svc/kubernetes/requests.h"

namespace cstl::kubernetes {

class Watch {
 public:
  // Borrows `requests`. Nothing is called before the next turn of the loop.
  Watch(Requests& requests, std::string path, Watcher watcher);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  int64_t due() const { return due_; }  // when tick() has something to do
  void tick();
  void cancel();                        // from inside a callback too

 private:
  struct Known {
    std::string uid;
    std::string version;
    uint64_t round = 0;                 // the list that saw it last
  };
  void list();
  void on_page(Result<Json> answer);
  void follow();
  void on_line(const std::string& line);
  void on_end(Status ended);
  void see(ObjectKey key, const Json& object, EventKind kind);
  void forget_unseen();
  void tell(Change change, const Json& object);
  void retry(const Error& error);
  std::string with_query(const std::string& query) const;

  Requests& requests_;
  std::string path_;
  Watcher watcher_;
  Requests::Id request_ = 0;            // under way, 0: none
  int64_t due_ = 0;
  int backoff_ms_ = 0;
  bool cancelled_ = false;
  std::string version_;                 // to follow from; empty: list first
  std::string next_page_;
  uint64_t round_ = 1;
  int64_t opened_ = 0;                  // when the stream was opened
  Status stream_error_;                 // what an ERROR event or a bad line said
  std::map<std::string, Known> known_;
};

}  // namespace cstl::kubernetes
