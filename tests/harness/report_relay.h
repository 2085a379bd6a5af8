// Carries reports into a virtual machine: the stand-in for its processor's firmware is a program on the host, and a
// test program in the machine asks it over TCP. One connection per report:
//   request   u8[64] report_data
//   response  u32 errno, u32 size, report, u32 size, certificates; big endian
// No secrets, no authentication: the machine's network is the test's own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/harness/tsm_folder.h"

namespace cstl::test {

class ReportRelay {
 public:
  // Listens on 127.0.0.1. `firmware` runs in a thread of its own.
  static std::unique_ptr<ReportRelay> start(uint16_t port, TsmFirmware firmware);
  ~ReportRelay();

 private:
  ReportRelay();
  struct State;
  std::unique_ptr<State> state_;
};

// The other side. An answer's error is EIO when the host is silent for ten seconds or says something else.
TsmAnswer ask_relay(const std::string& address, uint16_t port, const Digest64& report_data);

}  // namespace cstl::test
