// Bundles (boot/components/bundle.h): made on a machine that has the files, for nodes that have no network.
#pragma once

#include "boot/components/bundle.h"
#include "tools/cstl/configuration.h"

namespace cstl::cli {

struct BundleSource {
  std::string path;
  bool image = false;
};

// Writes the bundle of these files to `out`: complete and synced, or not at all. The same contents and names give the
// same bytes. A content that is given twice is stored once. `files` (may be null) receives what is in it. Errors: usage
// (too many, too large), bad_value (a name), exists (never: an old file is replaced), no_space, by errno; `problem`
// names the file.
Status write_bundle(const std::vector<BundleSource>& sources, const std::string& out, std::vector<BundleFile>* files,
                    std::string* problem);

// The components of a configuration that must come from a bundle (not data: URLs) and are not in this one.
std::vector<Component> missing_from(const std::vector<BundleFile>& files, const std::vector<Component>& components);

}  // namespace cstl::cli
