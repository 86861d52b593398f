// Signature 4 of AWS, as every S3 server asks for it. Pure.
//
// Source: AWS, "Authenticating Requests (AWS Signature Version 4)", of the S3 API reference.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/http_types.h"

namespace pandora {

struct S3Credentials {
  std::string access_key, secret_key;
  std::string session_token;  // of credentials that expire; empty: none
};

struct S3Request {
  std::string method = "GET";
  std::string host;                            // as the Host header says it
  std::string path = "/";                      // not encoded
  std::map<std::string, std::string> query;    // likewise
  std::map<std::string, std::string> headers;  // further ones, names in small letters; all of them are signed
  std::string payload_sha256;                  // 64 hexadecimal digits
};

// Every byte but A-Z a-z 0-9 - . _ ~ as %XX, and '/' too when `slash` says so.
enum class Slash { kKept, kEncoded };
std::string s3_encoded(std::string_view text, Slash slash);
// "a=1&b=%20": sorted, encoded; as it is sent.
std::string s3_query(const std::map<std::string, std::string>& query);
// All the headers to be sent besides Host: those of the request, x-amz-date, x-amz-content-sha256, the token and
// Authorization.
HttpHeaders s3_signed(const S3Request& request, const S3Credentials& credentials, const std::string& region,
                      Timestamp now);

}  // namespace pandora
