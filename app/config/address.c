#include "config/address.h"

#include "base/num.h"
#include "config/path.h"

#include <string.h>

/* RFC 1035 section 2.3.4. */
#define LABEL_LEN_MAX 63u
#define NAME_LEN_MAX 253u

#define HTTP_PORT 80u
#define HTTPS_PORT 443u

static const char *name_check(struct slice name);
static const char *ip4_target_check(uint32_t ip4);

/* ---- IPv4 ---------------------------------------------------------------------------------- */

bool address_ip4(struct slice s, uint32_t *ip4)
{
    uint32_t address = 0;
    for (unsigned i = 0; i < 4; i++) {
        struct slice number = slice_take(s, slice_find(s, '.'));
        uint64_t value;
        bool leading_zero = number.len > 1 && number.ptr[0] == '0';
        if (leading_zero || num_parse_u64(number, 255, &value) != LIMPET_OK) {
            return false;
        }
        bool dot = number.len < s.len;
        if (dot != (i < 3)) {
            return false;
        }
        address = address << 8 | (uint32_t)value;
        s = slice_skip(s, number.len + 1);
    }
    *ip4 = address;
    return true;
}

/* ---- Addresses of both families ------------------------------------------------------------- */

#define IP_BITS 128u
#define IP4_FRONT_BITS 96u

/* "ffff" in front of a colon or of the end: at most four digits. */
static bool group_parse(struct slice s, uint32_t *value)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned c = (unsigned char)s.ptr[i];
        unsigned letter = (c | 0x20u) - 'a';
        if (c - '0' > 9u && letter > 5u) {
            return false;
        }
        sum = sum << 4 | (c - '0' <= 9u ? c - '0' : letter + 10u);
    }
    *value = sum;
    return s.len >= 1 && s.len <= 4;
}

static size_t put_number(uint8_t *bytes, size_t at, uint32_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[at + i] = (uint8_t)(value >> 8 * (len - 1 - i));
    }
    return at + len;
}

/* The groups before and behind "::" (`gap`, SIZE_MAX without one) stand together in `bytes`.
 * Returns their length; 0 = no address. */
static size_t groups_parse(struct slice s, uint8_t bytes[16], size_t *gap)
{
    size_t len = 0;
    *gap = SIZE_MAX;
    if (slice_starts_with(s, SLICE_LIT("::"))) {
        *gap = 0;
        s = slice_skip(s, 2);
    }
    while (s.len > 0) {
        struct slice group = slice_take(s, slice_find(s, ':'));
        uint32_t value;
        bool last = group.len == s.len;
        if (last && len <= 12 && address_ip4(group, &value)) {
            return put_number(bytes, len, value, 4);
        }
        if (len == 16 || !group_parse(group, &value)) {
            return 0;
        }
        len = put_number(bytes, len, value, 2);
        s = slice_skip(s, group.len + 1);
        if (s.len == 0 && !last) {
            return 0; /* ends with a colon */
        }
        if (s.len > 0 && s.ptr[0] == ':') {
            if (*gap != SIZE_MAX) {
                return 0;
            }
            *gap = len;
            s = slice_skip(s, 1);
        }
    }
    return len;
}

static bool address_ip6(struct slice s, uint8_t address[16])
{
    size_t gap;
    size_t len = groups_parse(s, address, &gap);
    if (gap == SIZE_MAX || len == 16) {
        return gap == SIZE_MAX && len == 16;
    }
    bool only_gap = s.len == 2 && gap == 0;
    if (len == 0 && !only_gap) {
        return false;
    }
    memmove(address + 16 - (len - gap), address + gap, len - gap);
    memset(address + gap, 0, 16 - len);
    return true;
}

bool address_ip(struct slice s, struct config_network *ip)
{
    uint32_t ip4;
    memset(ip, 0, sizeof(*ip));
    ip->bits = IP_BITS;
    if (!address_ip4(s, &ip4)) {
        return address_ip6(s, ip->address);
    }
    put_number(ip->address, 10, 0xFFFF, 2);
    put_number(ip->address, 12, ip4, 4);
    return true;
}

bool address_network(struct slice s, struct config_network *network)
{
    size_t slash = slice_find(s, '/');
    if (!address_ip(slice_take(s, slash), network)) {
        return false;
    }
    bool ip4 = slice_find(s, ':') == s.len;
    uint64_t bits = ip4 ? IP_BITS - IP4_FRONT_BITS : IP_BITS;
    if (slash < s.len && num_parse_u64(slice_skip(s, slash + 1), bits, &bits) != LIMPET_OK) {
        return false;
    }
    network->bits = (uint8_t)(ip4 ? IP4_FRONT_BITS + bits : bits);
    return true;
}

/* An IPv6 network never holds an IPv4 address, as in Go's net.IPNet. */
bool address_in_network(const struct config_network *ip, const struct config_network *network)
{
    static const uint8_t ip4_front[12] = {[10] = 0xFF, [11] = 0xFF};
    bool ip4 = memcmp(ip->address, ip4_front, sizeof(ip4_front)) == 0;
    if (ip4 && network->bits < IP4_FRONT_BITS) {
        return false;
    }
    size_t whole = network->bits / 8u;
    unsigned rest = network->bits % 8u;
    unsigned differ =
        rest > 0 ? (unsigned)(ip->address[whole] ^ network->address[whole]) >> (8u - rest) : 0;
    return memcmp(ip->address, network->address, whole) == 0 && differ == 0;
}

static bool is_localhost(struct slice s)
{
    return slice_equal(s, SLICE_LIT("localhost"));
}

/* ---- Where to listen ----------------------------------------------------------------------- */

const char *address_listen_ip(struct slice s, uint32_t *ip4)
{
    if (s.len == 0) {
        *ip4 = 0;
        return NULL;
    }
    if (is_localhost(s)) {
        *ip4 = UINT32_C(0x7f000001);
        return NULL;
    }
    if (slice_find(s, ':') < s.len) {
        return "IPv6 is not supported; give an IPv4 address such as \"127.0.0.1\"";
    }
    if (!address_ip4(s, ip4)) {
        return "expected an IPv4 address such as \"127.0.0.1\", or \"localhost\"";
    }
    /* 0.0.0.0 is all addresses; the rest of 0/8 and 224/3 (multicast, reserved) is no host's
     * address. */
    bool nowhere = (*ip4 != 0 && *ip4 >> 24 == 0) || *ip4 >> 29 == 7;
    return nowhere ? "nothing could reach this address" : NULL;
}

/* A port without leading zeros; `digits_min` of them at least. */
static bool port_parse(struct slice s, size_t digits_min, uint16_t *port)
{
    uint64_t value;
    if (s.len < digits_min || s.len == 0 || s.ptr[0] == '0') {
        return false;
    }
    if (num_parse_u64(s, UINT16_MAX, &value) != LIMPET_OK) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

const char *address_listen(struct slice s, struct config_listen *listen)
{
    size_t colon = slice_find(s, ':');
    struct slice address = slice_take(s, colon);
    struct slice port = slice_skip(s, colon + 1);
    if (slice_find(port, ':') < port.len) {
        return "IPv6 is not supported; give an IPv4 address such as \"127.0.0.1:8090\"";
    }
    if (colon == s.len) {
        return "expected \":port\", \"address:port\" or \"localhost:port\"";
    }
    if (!port_parse(port, 1, &listen->port)) {
        return "the port must be a number from 1 to 65535";
    }
    return address_listen_ip(address, &listen->ip4);
}

/* ---- Where to send ------------------------------------------------------------------------- */

/* Cuts a scheme off; true when there was one. */
static bool scheme_parse(struct slice *s, bool *tls)
{
    const struct slice http = SLICE_LIT("http://");
    const struct slice https = SLICE_LIT("https://");
    *tls = slice_starts_with(*s, https);
    bool found = *tls || slice_starts_with(*s, http);
    *s = slice_skip(*s, !found ? 0 : *tls ? https.len : http.len);
    return found;
}

static const char no_tls[] = "this build has no TLS (LIMPET_TLS); only http:// is possible";

/* "[::1]:8086": the one IPv6 address that is understood. */
static size_t ip6_name(struct slice s, struct config_host *host)
{
    size_t end = slice_find(s, ']');
    host->name = slice_skip(slice_take(s, end), 1);
    return slice_equal(host->name, SLICE_LIT("::1")) && end < s.len ? end + 1 : 0;
}

/* name[:port] */
static const char *authority_parse(struct slice s, size_t port_digits_min, struct config_host *host)
{
    size_t name_len = slice_find(s, ':');
    const char *problem = NULL;
    if (slice_find(slice_skip(s, name_len + 1), ':') < slice_skip(s, name_len + 1).len ||
        (s.len > 0 && s.ptr[0] == '[')) {
        name_len = ip6_name(s, host);
        problem =
            name_len == 0 ? "IPv6 is not supported, except [::1]; give an IPv4 address" : NULL;
    } else {
        host->name = slice_take(s, name_len);
        problem = name_check(host->name);
    }
    if (problem != NULL) {
        return problem;
    }
    struct slice rest = slice_skip(s, name_len);
    const uint16_t usual_port = host->tls ? HTTPS_PORT : HTTP_PORT;
    host->port = usual_port;
    if (rest.len > 0 &&
        (rest.ptr[0] != ':' || !port_parse(slice_skip(rest, 1), port_digits_min, &host->port))) {
        return port_digits_min > 1 ? "the port must be a number from 10 to 65535"
                                   : "the port must be a number from 1 to 65535";
    }
    host->authority = host->port == usual_port ? slice_take(s, name_len) : s;
    return NULL;
}

const char *address_host(struct slice s, struct config_host *host)
{
    *host = (struct config_host){0};
    (void)scheme_parse(&s, &host->tls);
    if (host->tls && !LIMPET_TLS) {
        return no_tls;
    }
    if (slice_find(s, '@') < s.len) {
        return "a user and a password are not supported here";
    }
    if (slice_ends_with(s, SLICE_LIT("/"))) {
        s = slice_take(s, s.len - 1);
    }
    if (slice_find(s, '/') < s.len) {
        return "expected a host such as \"http://name:8080\", without a path";
    }
    return authority_parse(s, 2, host);
}

const char *address_influx(struct slice s, struct config_host *host, struct slice *base_path)
{
    *host = (struct config_host){0};
    if (!scheme_parse(&s, &host->tls)) {
        return "expected an address such as \"http://localhost:8086\"";
    }
    if (host->tls && !LIMPET_TLS) {
        return no_tls;
    }
    size_t slash = slice_find(s, '/');
    struct slice path = slice_skip(s, slash);
    s = slice_take(s, slash);
    if (slice_find(s, '@') < s.len) {
        return "a user does not belong here; give \"username\" and \"password\"";
    }
    while (slice_ends_with(path, SLICE_LIT("/"))) {
        path = slice_take(path, path.len - 1);
    }
    if (path_find_bad_in_url(path) < path.len || slice_find(path, '?') < path.len) {
        return "expected a plain path behind the host, without \"?\" and \"#\"";
    }
    *base_path = path;
    return authority_parse(s, 1, host);
}

/* ---- Names --------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
}

/* A name that ends in a number is an address to every resolver (RFC 3696 section 2). */
static bool ends_in_number(struct slice name)
{
    size_t digits = 0;
    while (digits < name.len && is_digit(name.ptr[name.len - 1 - digits])) {
        digits++;
    }
    return digits > 0 && (digits == name.len || name.ptr[name.len - 1 - digits] == '.');
}

static bool labels_ok(struct slice name)
{
    size_t label_len = 0;
    for (size_t i = 0; i < name.len; i++) {
        label_len = name.ptr[i] == '.' ? 0 : label_len + 1;
        bool empty = name.ptr[i] == '.' && (i == 0 || name.ptr[i - 1] == '.');
        if (empty || label_len > LABEL_LEN_MAX) {
            return false;
        }
    }
    return name.len > 0 && name.len <= NAME_LEN_MAX;
}

static const char *name_check(struct slice name)
{
    uint32_t ip4;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_char(name.ptr[i])) {
            return "expected a host such as \"http://name:8080\"";
        }
    }
    if (name.len == 0) {
        return "expected a host such as \"http://name:8080\"";
    }
    if (!labels_ok(name)) {
        return "not a host name: a part is empty or longer than 63, or all is longer than 253";
    }
    if (!ends_in_number(name)) {
        return NULL;
    }
    return address_ip4(name, &ip4) ? ip4_target_check(ip4) : "not an IPv4 address";
}

static const char *ip4_target_check(uint32_t ip4)
{
    if (ip4 >> 24 == 127 && ip4 != UINT32_C(0x7f000001)) {
        return "of 127.0.0.0/8 only 127.0.0.1 can be reached through the user-mode network";
    }
    if (ip4 >> 24 == 0 || ip4 >> 29 == 7) {
        return "nothing can be sent to this address";
    }
    return NULL;
}

const char *address_time_server(struct slice s)
{
    struct config_host host = {0};
    const char *problem = authority_parse(s, 1, &host);
    if (problem == NULL && slice_find(s, '[') < s.len) {
        return "IPv6 is not supported; give an IPv4 address";
    }
    return problem == NULL && s.len > 63u ? "at most 63 bytes" : problem;
}
