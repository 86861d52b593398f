// Messages that two readers could take for different ones: each must be refused, by parser and server alike.
#pragma once
#include <array>
#include <string_view>

namespace pandora::testing {

struct Smuggled {
  std::string_view name, bytes;
};

using namespace std::string_view_literals;

// Complete heads (or bytes that can become none).
inline constexpr std::array kSmuggledHeads = {
    Smuggled{"length and coding",
             "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"sv},
    Smuggled{"coding and length",
             "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"sv},
    Smuggled{"two lengths", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n"sv},
    Smuggled{"the same length twice",
             "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n"sv},
    Smuggled{"a list of lengths", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4, 4\r\n\r\n"sv},
    Smuggled{"a signed length", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +4\r\n\r\n"sv},
    Smuggled{"a negative length", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"sv},
    Smuggled{"a hexadecimal length", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x4\r\n\r\n"sv},
    Smuggled{"a length with a blank", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4 4\r\n\r\n"sv},
    Smuggled{"an empty length", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n\r\n"sv},
    Smuggled{"a length past 64 bits",
             "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551616\r\n\r\n"sv},
    Smuggled{
        "two codings",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"sv},
    Smuggled{"a list of codings", "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"sv},
    Smuggled{"chunked is not last",
             "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n"sv},
    Smuggled{"an unknown coding", "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n"sv},
    Smuggled{"a quoted coding", "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: \"chunked\"\r\n\r\n"sv},
    Smuggled{"an empty coding", "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\r\n\r\n"sv},
    Smuggled{"a coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"sv},
    Smuggled{"a coding behind a tab", "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding\t: chunked\r\n\r\n"sv},
    Smuggled{"space before the colon", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length : 4\r\n\r\n"sv},
    Smuggled{"a folded header", "POST / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n Content-Length: 4\r\n\r\n"sv},
    Smuggled{"a folded coding", "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\r\n chunked\r\n\r\n"sv},
    Smuggled{"a first header that is folded", "GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"sv},
    Smuggled{"bare LF after a header", "GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n"sv},
    Smuggled{"bare LF after the request line", "GET / HTTP/1.1\nHost: localhost\r\n\r\n"sv},
    Smuggled{"bare LF at the end", "GET / HTTP/1.1\r\nHost: localhost\r\n\n"sv},
    Smuggled{"bare CR in a value", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rContent-Length: 4\r\n\r\n"sv},
    Smuggled{"bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"CR CR LF", "GET / HTTP/1.1\r\nHost: localhost\r\r\n\r\n"sv},
    Smuggled{"NUL in a value", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n"sv},
    Smuggled{"NUL in a name", "GET / HTTP/1.1\r\nHost: localhost\r\nX\0: a\r\n\r\n"sv},
    Smuggled{"a header without a name", "GET / HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n"sv},
    Smuggled{"a header without a colon", "GET / HTTP/1.1\r\nHost: localhost\r\nfoo\r\n\r\n"sv},
    Smuggled{"a name with a blank", "GET / HTTP/1.1\r\nHost: localhost\r\nfoo bar: a\r\n\r\n"sv},
    Smuggled{"a name that is no token", "GET / HTTP/1.1\r\nHost: localhost\r\nfoo(bar): a\r\n\r\n"sv},
    Smuggled{"a connection that is no list of words",
             "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\xFF\r\n\r\n"sv},
    Smuggled{"a connection of two words without a comma",
             "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive close\r\n\r\n"sv},
    Smuggled{"no Host", "GET / HTTP/1.1\r\n\r\n"sv},
    Smuggled{"two Hosts", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"sv},
    Smuggled{"two blanks in the request line", "GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"a blank in the target", "GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"a method that is no token", "G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"a very long method", "GETGETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"no target", "GET HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"no version", "GET /\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"HTTP/0.9", "GET / HTTP/0.9\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"HTTP/1.10", "GET / HTTP/1.10\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"http in lower case", "GET / http/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\n"sv},
    Smuggled{"a target without a slash", "GET x HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"a target with a fragment", "GET /#a HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"a target with raw UTF-8", "GET /\xC3\xA9 HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"an asterisk for GET", "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
    Smuggled{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"sv},
    Smuggled{"a leading blank", " GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"sv},
};

// Chunked bodies.
inline constexpr std::array kSmuggledChunks = {
    Smuggled{"a size of 17 digits", "10000000000000005\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"a size that overflows", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"the largest size", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"a negative size", "-5\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"a signed size", "+5\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"a prefixed size", "0x5\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"no size", "\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"an extension without a size", ";a=b\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"a blank before the size", " 5\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"a blank after the size", "5 \r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"no hexadecimal", "g\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"bare LF after the size", "5\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"bare LF after the data", "5\r\nhello\n0\r\n\r\n"sv},
    Smuggled{"bare CR after the size", "5\rhello\r\n0\r\n\r\n"sv},
    Smuggled{"data longer than its size", "5\r\nhello!\r\n0\r\n\r\n"sv},
    Smuggled{"bare LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"an extension without a name", "5;\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"a blank behind an extension", "5;a \r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"an extension with an empty value", "5;a=\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"an extension whose quotes do not end", "5;a=\"b\\\"\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"NUL in an extension", "5;a\0\r\nhello\r\n0\r\n\r\n"sv},
    Smuggled{"bare LF at the end", "5\r\nhello\r\n0\r\n\n"sv},
    Smuggled{"bare LF after the last size", "5\r\nhello\r\n0\n\r\n"sv},
    Smuggled{"a folded trailer", "5\r\nhello\r\n0\r\n T: x\r\n\r\n"sv},
    Smuggled{"a trailer without a colon", "5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n"sv},
    Smuggled{"a length in a trailer", "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"sv},
    Smuggled{"a coding in a trailer", "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"sv},
    Smuggled{"a Host in a trailer", "5\r\nhello\r\n0\r\nHost: evil.example\r\n\r\n"sv},
    Smuggled{"bare LF in a trailer", "5\r\nhello\r\n0\r\nT: a\nb\r\n\r\n"sv},
};

}  // namespace pandora::testing
