// What of mbedTLS 3.6 is compiled in. This is MBEDTLS_CONFIG_FILE for the
// library and for everyone who includes its headers; both must agree.
//
// In:  TLS 1.3 over fresh (EC)DHE, both sides; X.509 parse and write; what TPM
//      sessions (tpm2-tss) and LUKS2 (libcryptsetup) compute; verification of
//      vendors' evidence (ECDSA P-256/P-384, RSA PKCS#1 v1.5, PSS).
// Out: TLS 1.2, PSK, tickets, resumption, early data, renegotiation, DTLS; SHA-1,
//      MD5, DES and other old algorithms; files, sockets, threads, debug output,
//      self tests, error strings.
#ifndef CSTL_CRYPTO_MBEDTLS_CONFIG_H
#define CSTL_CRYPTO_MBEDTLS_CONFIG_H

// Platform. Entropy is getrandom(2); wiping is explicit_bzero(3).
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_GMTIME_R_ALT  // crypto/hash.cc: libc's opens the time zone's file, which kills a confined process
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_VERSION_C  // libcryptsetup names its backend
#define MBEDTLS_CHECK_RETURN_WARNING
#define MBEDTLS_ENTROPY_C
#define MBEDTLS_CTR_DRBG_C

// Hashes and what is built on them. SHA-1 is not needed: tpm2-tss asks for it only
// for a session or name of that hash, and fails there.
#define MBEDTLS_MD_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_HKDF_C
#define MBEDTLS_PKCS5_C
#define MBEDTLS_HMAC_DRBG_C  // for deterministic ECDSA

// Ciphers. CFB is for TPM parameter encryption; XTS, CBC and CTR for LUKS2.
#define MBEDTLS_CIPHER_C
#define MBEDTLS_AES_C
#define MBEDTLS_AESNI_C
#define MBEDTLS_AES_FEWER_TABLES  // they serve only CPUs without AES-NI
#define MBEDTLS_CIPHER_MODE_CBC
#define MBEDTLS_CIPHER_MODE_CFB
#define MBEDTLS_CIPHER_MODE_CTR
#define MBEDTLS_CIPHER_MODE_XTS
#define MBEDTLS_CIPHER_PADDING_PKCS7
#define MBEDTLS_GCM_C
#define MBEDTLS_CCM_C  // libcryptsetup's backend refers to it; not among the TLS suites below
#define MBEDTLS_CMAC_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C

// Public keys.
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDSA_DETERMINISTIC
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21

// Key and certificate formats.
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_CRL_PARSE_C
#define MBEDTLS_X509_CSR_PARSE_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_WRITE_C
#define MBEDTLS_X509_CSR_WRITE_C
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
#define MBEDTLS_X509_REMOVE_INFO

// TLS 1.3 does its key schedule in PSA; call psa_crypto_init() first.
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC  // each client handshake under way holds a key slot: 32 fixed ones are too few

#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE  // for middleboxes on the way to HTTPS servers
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_SSL_KEYING_MATERIAL_EXPORT
#define MBEDTLS_SSL_CIPHERSUITES \
  MBEDTLS_TLS1_3_AES_128_GCM_SHA256, MBEDTLS_TLS1_3_AES_256_GCM_SHA384, \
      MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256

// A peer may send full records; what we send fits a smaller buffer, and
// mbedtls_ssl_write() takes at most this much at a time.
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384
#define MBEDTLS_SSL_OUT_CONTENT_LEN 4096

#endif
