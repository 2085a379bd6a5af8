// A report device in a process of its own (attest/platform/apart.h): whoever makes evidence keeps one end of a socket
// pair and can confine itself as if there were no device; the child has the device, its paths and ioctls, and nothing
// else. It ends when the other end closes.
//
// A request is the 64 bytes of REPORT_DATA. An answer is a status and, if that is 0, two blobs: the report (at most
// kMaxBlob) and the certificates (at most kMaxCertificateTable). A child that was taken over can give a wrong report,
// which no verifier accepts.
#pragma once

#include "attest/platform/apart.h"
#include "attest/tsm/report_device.h"

namespace cstl::tsm {

using OpenDevice = std::function<Result<std::unique_ptr<ReportDevice>>()>;

// The child opens the device, then confines itself. Errors: those of `open` and `confine`; child_failed, io. Those of
// report(): the device's; too_long (a blob over its limit) and child_failed: the child is of no use any more, its
// lifeline() ends, and every later call fails.
Result<std::unique_ptr<ReportDevice>> open_apart(const OpenDevice& open, const Confine& confine);

// The asking end over a connected stream socket, for tests of what a child may send.
std::unique_ptr<ReportDevice> remote_device(int fd);

}  // namespace cstl::tsm
