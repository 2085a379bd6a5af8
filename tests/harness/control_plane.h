// A real etcd, API server and controller manager on loopback (tests/harness/control_plane.sh), and a TLS server that
// misbehaves (tests/harness/bad_server.py); ended with the object, or with the process that holds it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace cstl::test {

// A program that prints `name=value` lines and then `ready`, takes commands on standard input and ends with it.
class Helper {
 public:
  static std::unique_ptr<Helper> start(const std::vector<std::string>& argv);
  ~Helper();
  const std::string& operator[](const char* name) const;
  // Sends a line and waits for the line `done`.
  void command(const std::string& line);

 private:
  Helper() = default;
  std::string read_line();
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string rest_;
  std::map<std::string, std::string> values_;
};

// Values: folder, server, ca, ca_key, certificate, key (of an administrator), kubeconfig, pki. Commands: stop-api,
// start-api, restart-api, compact, kubectl WORDS….
class ControlPlane {
 public:
  static Helper& shared();                  // started on first use, alive until the process ends
  static std::unique_ptr<Helper> start();
};

// `certificate` and `key` are PEM files. Values: port. The path that is asked for says what it does: see the script.
std::unique_ptr<Helper> start_bad_server(const std::string& certificate, const std::string& key);

// A certificate for 127.0.0.1 and localhost, signed by the CA of these files: FOLDER/NAME.crt and FOLDER/NAME.key. Without
// a CA it signs itself as one.
void make_certificate(const std::string& folder, const std::string& name, const std::string& ca = "",
                      const std::string& ca_key = "", const std::string& subject = "/CN=127.0.0.1");

}  // namespace cstl::test
