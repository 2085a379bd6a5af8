// cstl_api_requests_total of a service that talks to the API server. Labels: the error codes.
#pragma once

#include "svc/kubernetes/client.h"
#include "svc/run/metrics.h"

namespace cstl::kubernetes {

// Both outlive the last request.
void count_requests(Client& client, Metrics& metrics);

}  // namespace cstl::kubernetes
