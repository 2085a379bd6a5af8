#include "svc/run/loop.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl {
namespace {

struct Pipe {
  Pipe() {
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    out = Fd(fds[0]);
    in = Fd(fds[1]);
  }
  Fd out, in;
};

TEST_CASE("a watched descriptor calls its handler when it is ready, and not before") {
  Loop loop;
  Pipe p;
  int calls = 0;
  Loop::Id id = loop.watch(p.out.get(), POLLIN, [&](short revents) { calls += (revents & POLLIN) != 0; });
  REQUIRE(loop.poll_once(0).ok());
  CHECK(calls == 0);
  REQUIRE(write(p.in.get(), "x", 1) == 1);
  REQUIRE(loop.poll_once(1000).ok());
  CHECK(calls == 1);
  loop.cancel(id);
  REQUIRE(loop.poll_once(0).ok());
  CHECK(calls == 1);
}

TEST_CASE("timers: once means once, every means again, and a cancelled one never") {
  Loop loop;
  int once = 0, every = 0, never = 0;
  loop.after(1, [&] { ++once; });
  loop.every(1, [&] {
    if (++every == 3) loop.stop();
  });
  loop.cancel(loop.after(1, [&] { ++never; }));
  REQUIRE(loop.run().ok());
  CHECK(once == 1);
  CHECK(every == 3);
  CHECK(never == 0);
}

TEST_CASE("handlers may add, cancel and cancel themselves") {
  Loop loop;
  int first = 0, second = 0;
  Loop::Id id = 0;
  id = loop.every(1, [&] {
    ++first;
    loop.cancel(id);
    loop.after(0, [&] {
      ++second;
      loop.stop();
    });
  });
  REQUIRE(loop.run().ok());
  CHECK(first == 1);
  CHECK(second == 1);
}

TEST_CASE("a participant that removes itself is not called again") {
  struct Once : Participant {
    explicit Once(Loop& l) : loop(l) {}
    void prepare(PollSet& set) override { set.wake_by(0); }
    void dispatch(const PollSet&) override {
      ++turns;
      loop.remove(*this);
    }
    Loop& loop;
    int turns = 0;
  };
  Loop loop;
  Once once(loop);
  loop.add(once);
  for (int i = 0; i < 3; ++i) REQUIRE(loop.poll_once(0).ok());
  CHECK(once.turns == 1);
}

}  // namespace
}  // namespace cstl
