#include "initrd/devices.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

namespace cstl {
namespace {

// A copy of what /sys/class/block shows.
class Sysfs {
 public:
  Sysfs() {
    char name[] = "/tmp/cstl-sysfs-XXXXXX";
    root_ = mkdtemp(name) ? name : "";
  }
  ~Sysfs() { std::filesystem::remove_all(root_); }
  void disk(const std::string& name, const std::string& serial, const char* below = "") {
    std::filesystem::create_directories(root_ + "/" + name + "/" + below);
    std::ofstream(root_ + "/" + name + "/" + below + "/serial") << serial << "\n";
    std::ofstream(root_ + "/" + name + "/uevent") << "DEVNAME=" << name << "\nDEVTYPE=disk\n";
  }
  void partition(const std::string& name, const std::string& label) {
    std::filesystem::create_directories(root_ + "/" + name);
    std::ofstream(root_ + "/" + name + "/partition") << "1\n";
    std::ofstream(root_ + "/" + name + "/uevent") << "DEVNAME=" << name << "\nDEVTYPE=partition\nPARTNAME=" << label << "\n";
  }
  Result<std::string> find(const char* name) const { return find_block_device(root_.c_str(), name); }

 private:
  std::string root_;
};

}  // namespace

TEST_CASE("devices: a disk is found by its serial number") {
  Sysfs sys;
  sys.disk("vda", "other");
  sys.disk("vdb", "cstl-state");
  CHECK(*sys.find("cstl-state") == "/dev/vdb");
}

TEST_CASE("devices: an NVMe disk pads its serial number") {
  Sysfs sys;
  sys.disk("nvme0n1", "cstl-state          ", "device");
  CHECK(*sys.find("cstl-state") == "/dev/nvme0n1");
}

TEST_CASE("devices: a partition is found by its label and counts before its disk") {
  Sysfs sys;
  sys.disk("vda", "cstl-root");
  sys.partition("vda1", "cstl-root");
  sys.partition("vda2", "cstl-root-verity");
  CHECK(*sys.find("cstl-root") == "/dev/vda1");
  CHECK(*sys.find("cstl-root-verity") == "/dev/vda2");
}

TEST_CASE("devices: nothing of that name gives nothing") {
  Sysfs sys;
  sys.disk("vda", "cstl-state2");
  sys.partition("vda1", "cstl-stat");
  CHECK(sys.find("cstl-state")->empty());
}

TEST_CASE("devices: two of one name are refused") {
  Sysfs sys;
  sys.disk("vda", "cstl-state");
  sys.disk("vdb", "cstl-state");
  CHECK(sys.find("cstl-state").code() == Code::disk_failed);
}

}  // namespace cstl
