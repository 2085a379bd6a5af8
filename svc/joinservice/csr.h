// PKCS#10 certificate requests (RFC 2986), as kubelets and joining nodes make them, in DER: one strict form and nothing
// else. Version 1; a subject of one O and one CN, each in an RDN of its own; a P-256 key as uncompressed point; no
// attribute, or the one extension request with the one extension subjectAltName (DNS names and IP addresses, not
// critical); ECDSA with SHA-256, verified with the request's own key. Definite, minimal lengths; no trailing bytes.
// Total: any input gives a request or csr_refused, whose site names the check. Public data only.
#pragma once

#include <string>
#include <vector>

#include "crypto/sign.h"
#include "svc/joinservice/facts.h"

namespace cstl {

constexpr size_t kMaxRequestSans = 8;

// Only parse_certificate_request() makes one: its signature has been verified.
struct CertificateRequest {
  std::string organization, common_name;   // printable ASCII
  P256Point key{};
  std::vector<std::string> dns;            // as they stand there: printable ASCII
  std::vector<NodeAddress> addresses;
};

Result<CertificateRequest> parse_certificate_request(Bytes der);

// One PEM block "CERTIFICATE REQUEST" and nothing but white space around it. Errors: csr_refused.
Result<CertificateRequest> parse_certificate_request_pem(std::string_view pem);
std::string certificate_request_pem(Bytes der);

// The kubelet's client certificate of the node `name`: O system:nodes, CN system:node:<name>, no names or addresses.
// Errors: csr_refused; the site says what differs.
Status check_client_request(const CertificateRequest& request, std::string_view name);
// Its serving certificate: the same subject, exactly the name `name` and exactly the address `address`.
Status check_serving_request(const CertificateRequest& request, std::string_view name, std::string_view address);

}  // namespace cstl
