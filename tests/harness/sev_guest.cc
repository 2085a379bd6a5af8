#include "tests/harness/sev_guest.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sev-guest.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <thread>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl::test {

namespace {
constexpr uint32_t kMaxTable = 0x4000;  // SEV_FW_BLOB_MAX_SIZE
constexpr uint32_t kPage = 4096;
constexpr uint32_t kNoFirmwareCall = 0xff;

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "sev_guest: %s: errno %d\n", what, errno);
  std::abort();
}

int listen_to_this_thread() {
  const auto word = [](size_t offset) {
    return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
  };
  // Every request of type 'S': bits 8 to 15.
  sock_filter code[] = {
      word(offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4),
      word(offsetof(seccomp_data, args[1])),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff00),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SNP_GUEST_REQ_IOC_TYPE << 8, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof code / sizeof code[0], code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("no_new_privs");
  const long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (fd < 0) give_up("seccomp");
  return static_cast<int>(fd);
}

class Kernel {
 public:
  Kernel(const SevFirmware& firmware, pid_t caller) : firmware_(firmware), caller_(caller) {}

  // 0 or an errno, for ioctl(2).
  int answer(uint64_t command, uint64_t argument) {
    snp_guest_request_ioctl input{};
    if (!read(argument, &input, sizeof input)) return EFAULT;
    input.exitinfo2 = kNoFirmwareCall;
    if (input.msg_version == 0) return EINVAL;
    int error = ENOTTY;
    if (command == SNP_GET_REPORT) error = plain(input);
    if (command == SNP_GET_EXT_REPORT) error = extended(input);
    if (input.exitinfo2 != 0 && !write(argument, &input, sizeof input)) return EFAULT;
    return error;
  }

  SevCalls calls;

 private:
  bool read(uint64_t from, void* to, size_t size) const { return move(process_vm_readv, from, to, size); }
  bool write(uint64_t to, void* from, size_t size) const { return move(process_vm_writev, to, from, size); }
  template <typename Call>
  bool move(Call call, uint64_t there, void* here, size_t size) const {
    const iovec ours{here, size}, theirs{reinterpret_cast<void*>(there), size};
    return call(caller_, &ours, 1, &theirs, 1, 0) == static_cast<ssize_t>(size);
  }

  int plain(snp_guest_request_ioctl& input) {
    ++calls.reports;
    snp_report_req request{};
    if (input.req_data == 0 || input.resp_data == 0) return EINVAL;
    if (!read(input.req_data, &request, sizeof request)) return EFAULT;
    return give(input, request, ask(request));
  }

  int extended(snp_guest_request_ioctl& input) {
    ++calls.extended;
    snp_ext_report_req request{};
    if (input.req_data == 0 || input.resp_data == 0) return EINVAL;
    if (!read(input.req_data, &request, sizeof request)) return EFAULT;
    const bool wanted = request.certs_len != 0 && request.certs_address != 0;
    if (wanted && (request.certs_len > kMaxTable || request.certs_len % kPage != 0)) return EINVAL;
    SevAnswer said = ask(request.data);
    const size_t pages = (said.certificates.size() + kPage - 1) / kPage;
    if (pages * kPage > (wanted ? request.certs_len : 0)) {
      request.certs_len = static_cast<uint32_t>(pages * kPage);
      if (!write(input.req_data, &request, sizeof request)) return EFAULT;
      input.exitinfo2 = uint64_t{SNP_GUEST_VMM_ERR_INVALID_LEN} << 32;
      return EIO;
    }
    if (const int error = give(input, request.data, said); error != 0) return error;
    said.certificates.resize(request.certs_len);
    return !wanted || write(request.certs_address, said.certificates.data(), request.certs_len) ? 0 : EFAULT;
  }

  SevAnswer ask(const snp_report_req& request) const {
    Digest64 report_data{};
    std::copy(std::begin(request.user_data), std::end(request.user_data), report_data.begin());
    return firmware_(report_data, request.vmpl);
  }

  int give(snp_guest_request_ioctl& input, const snp_report_req& request, const SevAnswer& said) {
    for (uint8_t byte : request.rsvd) {
      if (byte != 0) return EINVAL;  // firmware's word for it is INVALID_PARAM
    }
    if (said.error != 0) return said.error;
    if (said.busy || said.busy_for_long) {
      input.exitinfo2 = uint64_t{SNP_GUEST_VMM_ERR_BUSY} << 32;
      return said.busy_for_long ? ETIMEDOUT : EAGAIN;
    }
    input.exitinfo2 = said.firmware;
    if (said.firmware != 0) return EIO;
    snp_report_resp response{};
    std::memcpy(response.data, &said.status, 4);
    std::memcpy(response.data + 4, &said.report_size, 4);
    std::copy(said.report.begin(), said.report.end(), response.data + 32);
    return write(input.resp_data, &response, sizeof response) ? 0 : EFAULT;
  }

  const SevFirmware& firmware_;
  pid_t caller_;
};
}  // namespace

SevCalls with_sev_guest(const SevFirmware& firmware, const std::function<void()>& work) {
  std::promise<int> listener;
  std::thread thread([&] {
    listener.set_value(listen_to_this_thread());
    work();
  });
  Fd fd(listener.get_future().get());
  Kernel kernel(firmware, getpid());
  for (;;) {
    pollfd ready{fd.get(), POLLIN, 0};
    if (poll(&ready, 1, -1) < 0 && errno != EINTR) give_up("poll");
    if ((ready.revents & POLLIN) == 0) {
      if ((ready.revents & POLLHUP) != 0) break;  // the thread has ended
      continue;
    }
    seccomp_notif call{};
    if (ioctl(fd.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
    seccomp_notif_resp response{};
    response.id = call.id;
    response.error = -kernel.answer(call.data.args[1], call.data.args[2]);
    if (ioctl(fd.get(), SECCOMP_IOCTL_NOTIF_SEND, &response) != 0 && errno != ENOENT) give_up("answer");
  }
  thread.join();
  return kernel.calls;
}

}  // namespace cstl::test
