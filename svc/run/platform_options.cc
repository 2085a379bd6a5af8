#include "svc/run/platform_options.h"

namespace cstl {

namespace {
struct Place {
  const Option& option;
  std::string PlatformPaths::*path;
};
constexpr Place kPlaces[] = {
    {kTpmOption, &PlatformPaths::tpm},           {kEventLogOption, &PlatformPaths::event_log},
    {kCcelOption, &PlatformPaths::ccel},         {kConfigfsOption, &PlatformPaths::configfs},
    {kSevGuestOption, &PlatformPaths::sev_guest}, {kRtmr3Option, &PlatformPaths::rtmr3},
    {kMetadataServiceOption, &PlatformPaths::metadata}, {kCollateralOption, &PlatformPaths::collateral},
};
}  // namespace

PlatformPaths platform_paths(const Arguments& arguments) {
  PlatformPaths out;
  for (const Place& place : kPlaces) out.*place.path = arguments.get(place.option.name);
  return out;
}

std::vector<std::string> platform_arguments(const PlatformPaths& paths) {
  std::vector<std::string> out;
  for (const Place& place : kPlaces) out.insert(out.end(), {place.option.name, paths.*place.path});
  return out;
}

}  // namespace cstl
