#include "attest/tdx/quote.h"

namespace cstl::tdx {

namespace {
constexpr uint16_t kVersion4 = 4;
constexpr uint16_t kVersion5 = 5;
constexpr size_t kReportReserved = 28, kReportReserved2 = 32, kReportReserved3 = 96, kReportReserved4 = 60;

Status decode_header(Reader& r, Quote* out) {
  TRY_LET(out->version, r.u16le());
  if (out->version != kVersion4 && out->version != kVersion5) return fail(Code::unsupported, "tdx.quote_version");
  TRY_LET(uint16_t key_type, r.u16le());
  if (key_type != kAttestationKeyP256) return fail(Code::unsupported, "tdx.key_type");
  TRY_LET(uint32_t tee, r.u32le());
  if (tee != kTeeTdx) return fail(Code::unsupported, "tdx.tee_type");
  TRY(r.u32le());  // reserved; older libraries put SVNs there that nothing vouches for
  TRY_LET(out->qe_vendor_id, r.fixed<16>());
  TRY_LET(out->user_data, r.fixed<20>());
  return success();
}

// Version 5 announces the body's type and size; version 4 has but one.
Result<bool> decode_body_header(Reader& r, uint16_t version) {
  if (version == kVersion4) return false;
  TRY_LET(uint16_t type, r.u16le());
  TRY_LET(uint32_t size, r.u32le());
  if (type != kBodyTdReport10 && type != kBodyTdReport15) return fail(Code::unsupported, "tdx.body_type");
  if (size != (type == kBodyTdReport15 ? kTdReport15 : kTdReport10)) return fail(Code::bad_value, "tdx.body_size");
  return type == kBodyTdReport15;
}

Status decode_report(Reader& r, bool is_15, TdReport* out) {
  TRY_LET(out->tee_tcb_svn, r.fixed<16>());
  TRY_LET(out->mr_seam, r.fixed<48>());
  TRY_LET(out->mr_signer_seam, r.fixed<48>());
  TRY_LET(out->seam_attributes, r.fixed<8>());
  TRY_LET(out->td_attributes, r.u64le());
  TRY_LET(out->xfam, r.u64le());
  TRY_LET(out->mr_td, r.fixed<48>());
  TRY_LET(out->mr_config_id, r.fixed<48>());
  TRY_LET(out->mr_owner, r.fixed<48>());
  TRY_LET(out->mr_owner_config, r.fixed<48>());
  for (Digest48& rtmr : out->rtmr) {
    TRY_LET(rtmr, r.fixed<48>());
  }
  TRY_LET(out->report_data, r.fixed<64>());
  out->is_15 = is_15;
  if (!is_15) return success();
  TRY_LET(out->tee_tcb_svn2, r.fixed<16>());
  TRY_LET(out->mr_service_td, r.fixed<48>());
  return success();
}

// u16 type and u32 size, little endian, then so many bytes: all that is left.
Result<Bytes> certification_data(Reader& r, uint16_t wanted) {
  TRY_LET(uint16_t type, r.u16le());
  if (type != wanted) return fail(Code::unsupported, "tdx.certification_type");
  TRY_LET(uint32_t size, r.u32le());
  if (size != r.remaining()) return fail(Code::bad_value, "tdx.certification_size");
  return r.bytes(size);
}

Status decode_signature(Reader r, Quote* out) {
  TRY_LET(out->signature, r.fixed<64>());
  TRY_LET(out->attestation_key, r.fixed<64>());
  TRY_LET(Bytes certification, certification_data(r, kCertificationQeReport));
  TRY(r.finish());

  Reader q(certification);
  TRY_LET(Bytes report, q.bytes(kSgxReport));
  TRY_LET(out->qe_report, SgxReport::decode(report));
  TRY_LET(out->qe_report_signature, q.fixed<64>());
  TRY_LET(uint16_t auth_size, q.u16le());
  if (auth_size > kMaxQeAuthData) return fail(Code::too_long, "tdx.qe_auth_data");
  TRY_LET(out->qe_auth_data, q.bytes(auth_size));
  TRY_LET(out->pck_chain, certification_data(q, kCertificationPckChain));
  if (out->pck_chain.size() > kMaxPckChain) return fail(Code::too_long, "tdx.pck_chain");
  return q.finish();
}
}  // namespace

Result<SgxReport> SgxReport::decode(Bytes raw) {
  Reader r(raw);
  SgxReport out;
  out.raw = raw;
  TRY_LET(out.cpu_svn, r.fixed<16>());
  TRY_LET(out.misc_select, r.u32le());
  TRY(r.bytes(kReportReserved));
  TRY_LET(out.attributes, r.fixed<16>());
  TRY_LET(out.mr_enclave, r.fixed<32>());
  TRY(r.bytes(kReportReserved2));
  TRY_LET(out.mr_signer, r.fixed<32>());
  TRY(r.bytes(kReportReserved3));
  TRY_LET(out.isv_prod_id, r.u16le());
  TRY_LET(out.isv_svn, r.u16le());
  TRY(r.bytes(kReportReserved4));
  TRY_LET(out.report_data, r.fixed<64>());
  TRY(r.finish());
  return out;
}

Result<Quote> Quote::decode(Bytes input) {
  if (input.size() > kMaxQuote) return fail(Code::too_long, "tdx.quote");
  Reader r(input);
  Quote out;
  TRY(decode_header(r, &out));
  TRY_LET(bool is_15, decode_body_header(r, out.version));
  TRY(decode_report(r, is_15, &out.report));
  out.signed_bytes = input.first(input.size() - r.remaining());
  TRY_LET(uint32_t size, r.u32le());
  TRY_LET(Bytes signature, r.bytes(size));
  TRY(r.finish());
  TRY(decode_signature(Reader(signature), &out));
  return out;
}

Result<size_t> quote_size(Bytes input) {
  Reader r(input);
  Quote head;
  TRY(decode_header(r, &head));
  TRY_LET(bool is_15, decode_body_header(r, head.version));
  TRY(r.bytes(is_15 ? kTdReport15 : kTdReport10));
  TRY_LET(uint32_t size, r.u32le());
  if (size > kMaxQuote) return fail(Code::too_long, "tdx.quote");
  TRY(r.bytes(size));
  size_t all = input.size() - r.remaining();
  if (all > kMaxQuote) return fail(Code::too_long, "tdx.quote");
  return all;
}

}  // namespace cstl::tdx
