// The examples that AWS gives in its description of the signature, and what is encoded how.
#include <gtest/gtest.h>

#include "base/hash.h"
#include "contract/expect.h"
#include "s3/s3_signature.h"

namespace pandora {
namespace {

const S3Credentials kExample{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};

HttpHeaders sign(S3Request request, const S3Credentials& credentials = kExample) {
  request.host = "examplebucket.s3.amazonaws.com";
  if (request.payload_sha256.empty()) request.payload_sha256 = sha256_hex("");
  return s3_signed(request, credentials, "us-east-1", must(parse_iso8601("2013-05-24T00:00:00Z")));
}
std::string signature(S3Request request) {
  const std::string all(sign(std::move(request)).get("Authorization"));
  return all.substr(all.find("Signature=") + 10);
}

TEST(S3Signature, is_that_of_the_description) {
  EXPECT_EQ(signature({.path = "/test.txt", .headers = {{"range", "bytes=0-9"}}}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(
      signature({.method = "PUT",
                 .path = "/test$file.text",
                 .headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                 .payload_sha256 = sha256_hex("Welcome to Amazon S3.")}),
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  EXPECT_EQ(signature({.query = {{"lifecycle", ""}}}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  EXPECT_EQ(signature({.query = {{"prefix", "J"}, {"max-keys", "2"}}}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(S3Signature, signs_all_the_headers_and_tells_no_secret) {
  const HttpHeaders headers = sign({.headers = {{"if-none-match", "*"}}}, {"key", "the secret", "a token"});
  EXPECT_EQ(headers.get("x-amz-date"), "20130524T000000Z");
  EXPECT_EQ(headers.get("x-amz-security-token"), "a token");
  EXPECT_FALSE(headers.has("host")) << "the client sends it";
  const std::string all(headers.get("Authorization"));
  EXPECT_NE(all.find("SignedHeaders=host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-security-token,"),
            std::string::npos)
      << all;
  EXPECT_EQ(all.find("the secret"), std::string::npos);
}

TEST(S3Signature, a_query_is_sorted_and_encoded) {
  EXPECT_EQ(s3_query({{"b", "x/y ~"}, {"a", ""}}), "a=&b=x%2Fy%20~");
  EXPECT_EQ(s3_encoded("a/b+c\xff", Slash::kKept), "a/b%2Bc%FF");
}

}  // namespace
}  // namespace pandora
