// Where the key of a sealed disk comes from: rejoin and recovery race, each in a child of PID 1 that has given up what
// it does not need (initrd/children.h). The first key that really opens the disk wins; then both children end.
//
//   rejoin    asks every joinservice of the metadata in turn, with a pause of three seconds after each round
//   recovery  listens on 0.0.0.0:9999, attests, and takes keys only in a message that the owner key of the disk's
// header
//             signed for that very session (svc/wire/recover.h)
//
// A child hands 64 bytes (disk key, measurement key) to PID 1 over a SOCK_SEQPACKET pair and gets a u16 code back: ok,
// and it tells its peer and ends; anything else, and it tells its peer and goes on. Keys are wiped on both sides. The
// children are forked before PID 1 holds any secret.
#pragma once

#include <sys/types.h>
#include <vector>

#include "boot/metadata/metadata.h"
#include "crypto/base/fd.h"
#include "crypto/keys.h"
#include "crypto/sign.h"

namespace cstl {

constexpr const char* kTpmDevice = "/dev/tpmrm0";
constexpr uid_t kUnlockUid = 900;
constexpr const char* kRecoverListen = "0.0.0.0:9999";

struct UnlockOffer {      // secret
  Key32 disk_key;
  Key32 measurement_key;
  size_t from = 0;        // index of the child
};

class UnlockRace {
 public:
  // `metadata` is borrowed for the call. Errors: io.
  static Result<UnlockRace> start(const Metadata& metadata, const Uuid& disk, const P256Point& owner);
  ~UnlockRace();
  UnlockRace(UnlockRace&&) = default;

  // Blocks until a child offers keys. A child that ends is reaped and said so on the console. Errors: child_failed
  // (none is left), io.
  Result<UnlockOffer> wait();
  // What became of the offer, for the child's peer.
  void answer(const UnlockOffer& offer, Code code);

 private:
  struct Child {
    pid_t pid;
    Fd socket;
    const char* name;
    bool won = false;
  };
  UnlockRace() = default;
  std::vector<Child> children_;
};

// In a child: one offer to PID 1 and its answer. Errors: io, closed.
Status send_keys(int socket, const Key32& disk_key, const Key32& measurement_key);
Result<Code> receive_code(int socket);

// The bodies of the children; they return only on failure or when PID 1 said ok.
Status run_rejoin(int socket, const Metadata& metadata, const Uuid& disk);
Status run_recovery(int socket, Variant variant, const Uuid& disk, const P256Point& owner);

}  // namespace cstl
