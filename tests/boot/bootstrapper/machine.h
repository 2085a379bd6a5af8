// A machine without a virtual machine: a real software TPM, folders in place of the state disk and of /run, and a monitor
// that speaks the protocol of cstl-init. Only the disk itself is missing: a folder survives what a real fresh disk would
// not, so next_boot() empties it unless it was re-keyed.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "attest/atls/session.h"
#include "boot/metadata/metadata.h"
#include "svc/wire/init.h"
#include "svc/wire/monitor.h"
#include "tests/harness/swtpm.h"

namespace cstl::test {

enum class RekeyAnswer { done, refuse, never_do, do_but_stay_silent };

class Machine {
 public:
  // `name` is also the node's.
  Machine(std::string name, Role role);
  ~Machine();

  Metadata metadata;                  // written to a file by start()
  Uuid disk{};
  RekeyAnswer rekey_answer = RekeyAnswer::done;
  uint16_t init_port, join_port, verify_port;
  std::vector<std::string> platform;  // more of the program's options: where other devices than the TPM are
  std::string baked;                  // reference values of the image; empty: none

  void start();
  void kill_now();                    // SIGKILL, and to its services
  // Waits until the program's log holds `text`; false after `seconds` or when the program ended without it.
  bool wait_for_log(const std::string& text, int seconds = 30);
  // Kills the program as soon as its log holds `text`.
  bool kill_at(const std::string& text);
  std::optional<int> wait_for_exit(int seconds = 30);
  // Ends the program; resets the TPM; empties /run, and the state folder when the disk was not re-keyed; enters the
  // cluster (PCR 15) as cstl-init does when it was.
  void next_boot();

  // /proc/PID/status of the child that talks to the network.
  std::string waiter_status();
  std::string log();
  std::string state() const { return folder_ + "/state"; }
  std::string run() const { return folder_ + "/run"; }
  std::string tpm() const { return swtpm_->device(); }
  std::array<Digest32, kPcrCount> pcrs();
  void extend_pcr(uint32_t index, Bytes data = "something else");
  void extend_cluster_pcr(const Digest32& cluster_id) { extend_pcr(kClusterPcr, cluster_id); }
  std::optional<RekeyRequest> rekeyed();         // what a completed re-keying asked for
  std::optional<PowerAction> power_asked(int seconds);

 private:
  void open_tpm();
  void serve_monitor(int fd);
  void read_log(int fd);

  std::string folder_;
  std::unique_ptr<Swtpm> swtpm_;
  pid_t pid_ = -1;
  std::optional<int> status_;
  std::thread monitor_, reader_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string log_;
  bool log_ended_ = false;
  std::optional<RekeyRequest> rekey_;
  std::optional<PowerAction> power_;
};

// The values that a machine with these PCRs matches, as JSON of reference values.
std::string reference_values_of(const std::array<Digest32, kPcrCount>& pcrs);

// What `cstl init` does, with every field open to change.
struct Owner {
  Owner();
  SigningKey key;
  InitRequest request;
  std::string reference_values;
  Secret<32> init_secret;
  Digest32 cluster_id{};
  bool break_signature = false;
  bool accept_entered = false;        // an owner who does not look at PCR 15
  std::optional<ReferenceSet> demand; // instead of any qemu-vtpm
  Digest32 init_secret_hash() const;

  struct Outcome {
    Code code = Code::ok;             // ok: initialised; else the machine's code, or what failed on the way
    std::string text;                 // what the machine said
    std::optional<InitResponse> response;
    std::vector<std::string> progress;
  };
  Outcome init(uint16_t port);
};

}  // namespace cstl::test
