/* The parts of the loader by themselves: addresses, paths, the table of keys, places, messages. */
#include "base/json.h"
#include "check.h"
#include "config/address.h"
#include "config/finding.h"
#include "config/keys.h"
#include "config/path.h"
#include "config/place.h"

#define CHECK_SLICE(got, want) CHECK_EQ_TEXT((got).ptr, (got).len, want)

static struct slice str(const char *cstr)
{
    return slice_from_cstr(cstr);
}

/* ---- Addresses ----------------------------------------------------------------------------- */

static void test_ip4(void)
{
    static const char *const bad[] = {
        "",          ".",        "1",          "1.2.3",
        "1.2.3.4.5", "1.2.3.",   ".1.2.3",     "1.2.3.256",
        "01.2.3.4",  "1.2.3.4 ", "1..3.4",     "1.2.3.4.",
        "1.2.3.x",   "-1.2.3.4", "0x7f.0.0.1", "1.2.3.0000000000000000000000000000004"};
    uint32_t ip4 = 0;
    CHECK(address_ip4(str("192.0.2.1"), &ip4));
    CHECK_EQ_UINT(ip4, 0xc0000201);
    CHECK(address_ip4(str("0.0.0.0"), &ip4));
    CHECK_EQ_UINT(ip4, 0);
    CHECK(address_ip4(str("255.255.255.255"), &ip4));
    CHECK_EQ_UINT(ip4, 0xffffffff);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!address_ip4(str(bad[i]), &ip4));
    }
}

static void check_ip6(const char *text, const char *want)
{
    struct config_network ip;
    char hex[2 * sizeof(ip.address) + 1];
    struct out out;
    out_init(&out, hex, sizeof(hex));
    CHECK(address_ip(str(text), &ip));
    for (size_t i = 0; i < sizeof(ip.address); i++) {
        out_hex(&out, ip.address[i], 2);
    }
    CHECK_EQ_TEXT(hex, out_slice(&out).len, want);
}

static void test_ip6(void)
{
    static const char *const bad[] = {"",         ":",       ":::",       "1:",        ":1",
                                      "1::2::3",  "12345::", "g::",       "1:2:3:4:5:6:7",
                                      "::1 ",     "::%eth0", "1:2:3:4:5:6:7:8:9",
                                      "1:2:3:4:5:6:7::8:9", "::1.2.3",   "1:2:3:4:5:6:7:1.2.3.4",
                                      "::1.2.3.4:5", "1.2.3.4::", "::-1"};
    struct config_network ip;
    check_ip6("::", "00000000000000000000000000000000");
    check_ip6("::1", "00000000000000000000000000000001");
    check_ip6("fd00::", "fd000000000000000000000000000000");
    check_ip6("2001:dB8::a:1", "20010db80000000000000000000a0001");
    check_ip6("1:2:3:4:5:6:7:8", "00010002000300040005000600070008");
    check_ip6("1:2:3:4:5:6:7::", "00010002000300040005000600070000");
    check_ip6("1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304");
    check_ip6("64:ff9b::0.0.0.0", "0064ff9b000000000000000000000000");
    check_ip6("::ffff:1.2.3.4", "00000000000000000000ffff01020304");
    check_ip6("1.2.3.4", "00000000000000000000ffff01020304");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!address_ip(str(bad[i]), &ip));
    }
}

static bool is_in(const char *ip_text, const char *network_text)
{
    struct config_network ip;
    struct config_network network;
    CHECK(address_ip(str(ip_text), &ip) && address_network(str(network_text), &network));
    return address_in_network(&ip, &network);
}

static void test_networks(void)
{
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
                                      "::/129",      "/8",        "a/8"};
    struct config_network network;
    CHECK(is_in("10.255.0.1", "10.0.0.0/8"));
    CHECK(!is_in("11.0.0.1", "10.0.0.0/8"));
    CHECK(is_in("10.0.0.9", "10.0.0.8/31") && !is_in("10.0.0.10", "10.0.0.8/31"));
    CHECK(is_in("1.2.3.4", "1.2.3.4") && !is_in("1.2.3.5", "1.2.3.4"));
    CHECK(is_in("1.2.3.4", "0.0.0.0/0") && !is_in("::1", "0.0.0.0/0"));
    CHECK(is_in("::1", "::/0") && !is_in("1.2.3.4", "::/0"));
    CHECK(is_in("fd12::1", "fd00::/8") && !is_in("fe80::1", "fd00::/8"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!address_network(str(bad[i]), &network));
    }
}

static void check_listen(const char *text, uint32_t ip4, uint16_t port)
{
    struct config_listen listen = {0};
    CHECK(address_listen(str(text), &listen) == NULL);
    CHECK_EQ_UINT(listen.ip4, ip4);
    CHECK_EQ_UINT(listen.port, port);
}

static void test_listen(void)
{
    static const char *const bad[] = {
        "",          ":",    "8090",       ":080",         ":65536",    ":-1",
        ":80 ",      " :80", "h:80",       "::1:80",       "[::1]:80",  "1.2.3:80",
        "0.0.0.1:1", ":8o",  "127.0.0.1:", "240.0.0.1:80", "localhost", "LOCALHOST:80"};
    check_listen(":8090", 0, 8090);
    check_listen("127.0.0.1:1", 0x7f000001, 1);
    check_listen("127.0.0.2:65535", 0x7f000002, 65535);
    check_listen("localhost:80", 0x7f000001, 80);
    check_listen("0.0.0.0:80", 0, 80);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct config_listen listen;
        CHECK(address_listen(str(bad[i]), &listen) != NULL);
    }
}

static void check_host(const char *text, const char *name, uint16_t port, const char *authority)
{
    struct config_host host;
    if (!CHECK(address_host(str(text), &host) == NULL)) {
        fprintf(stderr, "  %s: %s\n", text, address_host(str(text), &host));
        return;
    }
    CHECK_SLICE(host.name, name);
    CHECK_SLICE(host.authority, authority);
    CHECK_EQ_UINT(host.port, port);
    CHECK(!host.tls);
}

static void test_hosts(void)
{
    static const char *const bad[] = {
        "http://",
        "http:///",
        "http://h//",
        "http://h:",
        "http://h:8",
        "http://h:65536",
        "http://h:100000",
        "http://h/p",
        "http://h?x",
        "http://h#x",
        "HTTP://h",
        "http://http://h",
        "http://127.0.0.2",
        "http://127.1",
        "http://0.0.0.0",
        "http://1.2.3.4.5",
        "http://256.1.1.1",
        "http://010.1.1.1",
        "http://999",
        "http://224.0.0.1",
        "http://[::2]",
        "http://[::1",
        "http://[::1]x",
        "http://[::1]:",
        "http://::1",
        "http://.h",
        "http://h..i",
        "http://h\xc3\xa9",
        " http://h",
        "//h",
        "http://h:80:80",
        "http://a.label-of-more-than-sixty-three-characters-is-no-part-of-any-name-in-the-dns",
    };
    check_host("h", "h", 80, "h");
    check_host("http://h/", "h", 80, "h");
    check_host("http://h:80", "h", 80, "h");
    check_host("http://h:8080/", "h", 8080, "h:8080");
    check_host("h:65535", "h", 65535, "h:65535");
    check_host("http://a-b.c_d.example", "a-b.c_d.example", 80, "a-b.c_d.example");
    check_host("http://h.", "h.", 80, "h.");
    check_host("http://127.0.0.1:10", "127.0.0.1", 10, "127.0.0.1:10");
    check_host("http://10.0.2.2", "10.0.2.2", 80, "10.0.2.2");
    check_host("http://1.2.3.4a", "1.2.3.4a", 80, "1.2.3.4a");
    check_host("http://[::1]:9099", "::1", 9099, "[::1]:9099");
    check_host("[::1]", "::1", 80, "[::1]");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct config_host host;
        if (!CHECK(address_host(str(bad[i]), &host) != NULL)) {
            fprintf(stderr, "  %s\n", bad[i]);
        }
    }
}

static void test_influx_address(void)
{
    struct config_host host;
    struct slice path;
    CHECK(address_influx(str("http://h:8/"), &host, &path) == NULL);
    CHECK_EQ_UINT(host.port, 8);
    CHECK_SLICE(path, "");
    CHECK(address_influx(str("http://h/a/b//"), &host, &path) == NULL);
    CHECK_SLICE(path, "/a/b");
    CHECK_SLICE(host.authority, "h");
    CHECK(address_influx(str("h:8086"), &host, &path) != NULL);
    CHECK(address_influx(str("http://h/a b"), &host, &path) != NULL);
    CHECK(address_influx(str("http://h/#a"), &host, &path) != NULL);
    CHECK(address_influx(str("http://u@h"), &host, &path) != NULL);
    CHECK(address_influx(str("http:///x"), &host, &path) != NULL);
}

/* ---- Paths --------------------------------------------------------------------------------- */

static void test_pieces(void)
{
    struct path_piece piece;
    struct slice rest = str("/a/{b}{c.d:e}/");
    CHECK_EQ_INT(path_next(&rest, &piece), 1);
    CHECK(!piece.is_param);
    CHECK_SLICE(piece.text, "/a/");
    CHECK_EQ_INT(path_next(&rest, &piece), 1);
    CHECK(piece.is_param);
    CHECK_SLICE(piece.text, "b");
    CHECK_EQ_INT(path_next(&rest, &piece), 1);
    CHECK(piece.is_param);
    CHECK_SLICE(piece.text, "c.d:e");
    CHECK_EQ_INT(path_next(&rest, &piece), 1);
    CHECK_SLICE(piece.text, "/");
    CHECK_EQ_INT(path_next(&rest, &piece), 0);

    static const char *const bad[] = {"{", "}", "{}", "{a", "a}", "{a b}", "{{a}}", "{a{b}}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int more;
        rest = str(bad[i]);
        while ((more = path_next(&rest, &piece)) == 1) {
        }
        CHECK_EQ_INT(more, LIMPET_ERR_SYNTAX);
    }
}

static void test_same_route(void)
{
    CHECK(path_same_route(str("/"), str("/")));
    CHECK(path_same_route(str("/a/{x}/b"), str("/a/{longer}/b")));
    CHECK(path_same_route(str("/{x}"), str("/{y}")));
    CHECK(!path_same_route(str("/a/{x}"), str("/a/b")));
    CHECK(!path_same_route(str("/a"), str("/a/")));
    CHECK(!path_same_route(str("/a/{x}"), str("/a/{x}/")));
    CHECK(!path_same_route(str("/A"), str("/a")));
}

static void test_path_check(void)
{
    size_t count;
    CHECK(path_check(str("/"), &count) == NULL);
    CHECK_EQ_UINT(count, 1);
    CHECK(path_check(str("/a/{b}/"), &count) == NULL);
    CHECK_EQ_UINT(count, 3);
    CHECK(path_check(str("/__stats"), &count) == NULL); /* another listener's */
    CHECK(path_check(str("/__healthy"), &count) == NULL);
    CHECK(path_check(str("/..."), &count) == NULL);
    CHECK(path_check(str("//"), &count) != NULL);
    CHECK(path_check(str("/a/."), &count) != NULL);
    CHECK(path_check(str("/__echo"), &count) != NULL);
}

/* Every byte, alone. */
static void test_path_bytes(void)
{
    static const char in_both[] = "/-._~!$'()+,;=@"
                                  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char in_url_only[] = "&*:?[]";
    for (int byte = 1; byte < 256; byte++) {
        char c = (char)byte;
        bool both = strchr(in_both, c) != NULL;
        bool url = both || strchr(in_url_only, c) != NULL;
        CHECK_EQ_UINT(path_find_bad(slice_of(&c, 1)), both ? 1 : 0);
        CHECK_EQ_UINT(path_find_bad_in_url(slice_of(&c, 1)), url ? 1 : 0);
    }
    CHECK_EQ_UINT(path_find_bad_in_url(str("a%2Fb")), 5);
    CHECK_EQ_UINT(path_find_bad_in_url(str("ab%f")), 2);
    CHECK_EQ_UINT(path_find_bad_in_url(str("ab%fg0")), 2);
    CHECK_EQ_UINT(path_find_bad_in_url(str("%00%")), 3);
}

static void test_names(void)
{
    char buf[128];
    struct out out;
    out_init(&out, buf, sizeof(buf));
    path_write_endpoint_name(&out, str("/a/{b_1}/c/{D-2}"));
    CHECK_SLICE(out_slice(&out), "/a/:b_1/c/:D-2");
    out_init(&out, buf, sizeof(buf));
    path_write_backend_name(&out, str("/{a}/{B}?x={_c}&y={0}"));
    CHECK_SLICE(out_slice(&out), "/{{.A}}/{{.B}}?x={{._c}}&y={{.0}}");
}

/* ---- Keys ---------------------------------------------------------------------------------- */

static void test_keys(void)
{
    CHECK_EQ_INT(keys_find(SECTION_ROOT, str("version")), ROOT_VERSION);
    CHECK_EQ_INT(keys_find(SECTION_ROOT, str("Version")), -1);
    CHECK_EQ_INT(keys_find(SECTION_ROOT, str("")), -1);
    CHECK_EQ_INT(keys_find(SECTION_SERVICE_EXTRA, str("github_com/letgoapp/krakend-influx")),
                 SERVICE_EXTRA_INFLUX);
    CHECK_EQ_INT(keys_find(SECTION_BACKEND_EXTRA, str("github.com/devopsfaith/krakend/http")),
                 BACKEND_EXTRA_HTTP);
    /* A namespace is known where it belongs only. */
    CHECK_EQ_INT(keys_find(SECTION_ROOT, str("github.com/devopsfaith/krakend/http")), -1);
    CHECK(keys_is_comment(str("#")) && keys_is_comment(str("@a")) &&
          keys_is_comment(str("$schema")));
    CHECK(keys_is_comment(str("_a")) && !keys_is_comment(str("a_")) && !keys_is_comment(str("")));
}

static void check_nearest(enum section section, const char *name, const char *want)
{
    const struct key *key = keys_nearest(section, str(name));
    CHECK_EQ_STR(key == NULL ? NULL : key->name, want);
}

static void test_nearest(void)
{
    check_nearest(SECTION_METRICS, "colection_time", "collection_time");
    check_nearest(SECTION_METRICS, "listen_adress", "listen_address");
    check_nearest(SECTION_ROOT, "prot", "port");
    check_nearest(SECTION_ROOT, "hots", "host");
    check_nearest(SECTION_ROOT, "end_points", "endpoints");
    check_nearest(SECTION_ROOT, "x", NULL);
    check_nearest(SECTION_ROOT, "", NULL);
    check_nearest(SECTION_ROOT, "a_name_that_is_much_longer_than_any_of_the_known_keys", NULL);
    check_nearest(SECTION_BACKEND, "whitelis", "whitelist"); /* messages give its new name */
    check_nearest(SECTION_SERVICE_EXTRA, "telemetry/influxdb", "telemetry/influx");
}

/* No key twice in a section; every old namespace leads to a known one; names keep their bound. */
static void test_tables(void)
{
    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        size_t count;
        const struct key *keys = keys_of((enum section)s, &count);
        for (size_t i = 0; i < count; i++) {
            CHECK_EQ_INT(keys_find((enum section)s, str(keys[i].name)), (int)i);
            CHECK(strlen(keys[i].name) <= KEY_NAME_LEN_MAX);
            CHECK(!keys_is_comment(str(keys[i].name)));
            if (keys[i].status == KEY_RENAMED) {
                CHECK(keys_find((enum section)s, str(keys[i].fallback)) >= 0);
            }
        }
    }
#define X(old, name)                                                                               \
    CHECK(keys_find(SECTION_SERVICE_EXTRA, str(old)) >= 0 ||                                       \
          keys_find(SECTION_ENDPOINT_EXTRA, str(old)) >= 0 ||                                      \
          keys_find(SECTION_BACKEND_EXTRA, str(old)) >= 0);
    KEYS_ALIASES(X)
#undef X
}

/* ---- Places and messages ------------------------------------------------------------------- */

static void check_place(const char *text, size_t offset, const char *want)
{
    char buf[64];
    struct out path;
    out_init(&path, buf, sizeof(buf));
    place_path(&path, str(text), text + offset);
    CHECK_SLICE(out_slice(&path), want);
}

static void test_place(void)
{
    static const char text[] = " {\"a\": [1, {\"b c\": {}}], \"d.e\":{\"f\":2}}";
    check_place(text, 1, "");
    check_place(text, 2, "a"); /* the key */
    check_place(text, 7, "a"); /* the value */
    check_place(text, 8, "a[0]");
    check_place(text, 11, "a[1]");
    check_place(text, 12, "a[1][\"b c\"]");
    check_place(text, 19, "a[1][\"b c\"]");
    check_place(text, (size_t)(strstr(text, "\"f\"") - text), "[\"d.e\"].f");
    check_place(text, (size_t)(strstr(text, "2}") - text), "[\"d.e\"].f");
    check_place(text, sizeof(text) - 1, "");
    check_place("7", 0, "");
    check_place("[[[[5]]]]", 4, "[0][0][0][0]");
}

static struct findings findings;

static void keep_last(void *ctx, const struct config_finding *finding)
{
    snprintf(ctx, 300, "%.*s", (int)finding->message.len, finding->message.ptr);
}

/* A long message is cut between characters, whatever its length. */
static void test_cut_message(void)
{
    for (size_t head = LIMPET_FINDING_LEN_MAX - 8; head < LIMPET_FINDING_LEN_MAX + 8; head++) {
        char told[300] = "";
        findings_init(&findings, SLICE_LIT("{}"));
        struct out *out = finding_begin(&findings, CONFIG_ERROR, NULL);
        for (size_t i = 0; i < head; i++) {
            out_char(out, 'x');
        }
        out_text(out, "\xe2\x82\xac");
        finding_end(&findings);
        findings_report(&findings, true, keep_last, told);
        size_t len = strlen(told);
        CHECK(len <= LIMPET_FINDING_LEN_MAX);
        bool whole = head + 3 <= LIMPET_FINDING_LEN_MAX - 3;
        CHECK_EQ_STR(told + len - 3, whole ? "\xe2\x82\xac" : "...");
        CHECK(whole || (unsigned char)told[len - 4] < 0x80);
    }
}

static void test_quote(void)
{
    char buf[128];
    struct out out;
    out_init(&out, buf, sizeof(buf));
    finding_quote(&out, str("a\"b\n"));
    CHECK_SLICE(out_slice(&out), "\"a\\\"b\\n\"");
    out_init(&out, buf, sizeof(buf));
    finding_quote(&out, str("1234567890123456789012345678901234567890123456\xe2\x82\xac tail"));
    CHECK_SLICE(out_slice(&out), "\"1234567890123456789012345678901234567890123456...\"");
    out_init(&out, buf, sizeof(buf));
    finding_value(&out, str("[]"));
    finding_value(&out, str("[1]"));
    finding_value(&out, str("{}"));
    finding_value(&out, str("true"));
    CHECK_SLICE(out_slice(&out), "an empty lista listan objecttrue");
}

int main(void)
{
    test_ip4();
    test_listen();
    test_hosts();
    test_ip6();
    test_networks();
    test_influx_address();
    test_pieces();
    test_same_route();
    test_path_check();
    test_path_bytes();
    test_names();
    test_keys();
    test_nearest();
    test_tables();
    test_place();
    test_cut_message();
    test_quote();
    return check_result();
}
