// The image's seccomp profiles, where the kubelet looks for those that pods name: a link below the kubelet's folder,
// which lies on the state disk, to a folder of the root under dm-verity. So an image brings its own profiles, whatever
// image the disk has seen before, and nobody who writes to the disk changes one. The kubelet hands the path on;
// containerd reads the file whenever it makes a container.
#pragma once

#include <string>

#include "crypto/base/result.h"

namespace cstl::kubernetes {

constexpr const char* kProfilesOfImage = "/usr/share/cstl/seccomp";
constexpr const char* kProfilesOfKubelet = "/var/lib/kubelet/seccomp/cstl";  // localhostProfile: cstl/NAME.json

// `link` becomes a symbolic link to the folder `profiles`, which need not exist. Folders above it are made; a link
// that is right is left alone; another link, a file, or a folder of files goes away, replaced in one step where that
// is possible. Errors: io (also: a folder in a folder of that name), no_space.
Status link_profiles(const std::string& profiles, const std::string& link);

}  // namespace cstl::kubernetes
