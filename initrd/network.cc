#include "initrd/network.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <netinet/in.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "crypto/base/fd.h"
#include "crypto/base/log.h"

namespace cstl {
namespace {

Error net_error(const char* site) { return fail(Code::network_failed, site, Origin::errno_value, errno); }

ifreq request(const std::string& interface) {
  ifreq out{};
  std::strncpy(out.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  return out;
}

Status bring_up(int fd, const std::string& interface, const char* site) {
  ifreq r = request(interface);
  if (ioctl(fd, SIOCGIFFLAGS, &r) != 0) return net_error(site);
  r.ifr_flags = static_cast<short>(r.ifr_flags | IFF_UP);
  if (ioctl(fd, SIOCSIFFLAGS, &r) != 0) return net_error(site);
  return success();
}

sockaddr_in ipv4(const uint8_t* bytes) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  std::memcpy(&out.sin_addr, bytes, 4);
  return out;
}

// The first Ethernet interface by name; empty if there is none.
std::string first_ethernet(int fd) {
  std::vector<std::string> names;
  DIR* dir = opendir("/sys/class/net");
  if (!dir) return {};
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] == '.' || std::strlen(entry->d_name) >= IFNAMSIZ) continue;
    ifreq r = request(entry->d_name);
    if (ioctl(fd, SIOCGIFHWADDR, &r) == 0 && r.ifr_hwaddr.sa_family == ARPHRD_ETHER) names.push_back(entry->d_name);
  }
  (void)closedir(dir);  // only read from
  return names.empty() ? std::string() : *std::min_element(names.begin(), names.end());
}

Status set_ipv4(int fd, const std::string& interface, const Metadata& metadata) {
  ifreq r = request(interface);
  const sockaddr_in address = ipv4(metadata.address.address.bytes.data());
  std::memcpy(&r.ifr_addr, &address, sizeof address);
  if (ioctl(fd, SIOCSIFADDR, &r) != 0) return net_error("network.address");
  const uint32_t bits = htonl(metadata.address.length == 0 ? 0 : ~uint32_t{0} << (32 - metadata.address.length));
  const sockaddr_in mask = ipv4(reinterpret_cast<const uint8_t*>(&bits));
  r = request(interface);
  std::memcpy(&r.ifr_netmask, &mask, sizeof mask);
  if (ioctl(fd, SIOCSIFNETMASK, &r) != 0) return net_error("network.netmask");
  TRY(bring_up(fd, interface, "network.up"));
  if (!metadata.gateway) return success();
  rtentry route{};
  const uint8_t zeros[4] = {};
  const sockaddr_in any = ipv4(zeros), gateway = ipv4(metadata.gateway->bytes.data());
  std::memcpy(&route.rt_dst, &any, sizeof any);
  std::memcpy(&route.rt_genmask, &any, sizeof any);
  std::memcpy(&route.rt_gateway, &gateway, sizeof gateway);
  route.rt_flags = RTF_UP | RTF_GATEWAY;
  if (ioctl(fd, SIOCADDRT, &route) != 0 && errno != EEXIST) return net_error("network.gateway");
  return success();
}

Status set_ipv6(const std::string& interface, const Metadata& metadata) {
  Fd fd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return net_error("network.socket6");
  ifreq r = request(interface);
  if (ioctl(fd.get(), SIOCGIFINDEX, &r) != 0) return net_error("network.index");
  TRY(bring_up(fd.get(), interface, "network.up"));
  in6_ifreq address{};
  std::memcpy(&address.ifr6_addr, metadata.address.address.bytes.data(), 16);
  address.ifr6_prefixlen = metadata.address.length;
  address.ifr6_ifindex = r.ifr_ifindex;
  if (ioctl(fd.get(), SIOCSIFADDR, &address) != 0 && errno != EEXIST) return net_error("network.address");
  if (!metadata.gateway) return success();
  in6_rtmsg route{};
  std::memcpy(&route.rtmsg_gateway, metadata.gateway->bytes.data(), 16);
  route.rtmsg_metric = 1;
  route.rtmsg_flags = RTF_UP | RTF_GATEWAY;
  route.rtmsg_ifindex = r.ifr_ifindex;
  if (ioctl(fd.get(), SIOCADDRT, &route) != 0 && errno != EEXIST) return net_error("network.gateway");
  return success();
}

}  // namespace

Result<std::string> configure_network(const Metadata& metadata) {
  Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return net_error("network.socket");
  TRY(bring_up(fd.get(), "lo", "network.lo"));
  std::string interface;
  for (int tenth = 0; interface.empty(); ++tenth) {
    if (tenth == 10) log_info("network.waiting", {{"for", "an Ethernet interface"}, {"at_most", int64_t{10}}});
    if (tenth == 100) return fail(Code::network_failed, "network.no_interface");
    interface = first_ethernet(fd.get());
    if (interface.empty()) usleep(100 * 1000);
  }
  if (metadata.address.address.family == 6) {
    TRY(set_ipv6(interface, metadata));
  } else {
    TRY(set_ipv4(fd.get(), interface, metadata));
  }
  return interface;
}

}  // namespace cstl
