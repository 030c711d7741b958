/* Heads out: status line, fields. */
#include "base/num.h"
#include "web/message.h"
#include "web/message_rules.h"

#include <string.h>

struct reason {
    unsigned status;
    const char *text;
};

/* RFC 9110 section 15 and the registry of status codes. */
static const struct reason reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

const char *message_reason(unsigned status)
{
    size_t low = 0;
    size_t high = sizeof(reasons) / sizeof(reasons[0]);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (reasons[middle].status == status) {
            return reasons[middle].text;
        }
        if (reasons[middle].status < status) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return "Status";
}

void message_write_status_line(struct out *out, unsigned status)
{
    out_text(out, "HTTP/1.1 ");
    out_u64(out, status);
    out_char(out, ' ');
    out_text(out, message_reason(status));
    out_text(out, "\r\n");
}

void message_write_field(struct out *out, struct slice name, struct slice value)
{
    out_put(out, name);
    out_text(out, ": ");
    if (rule_is_value(value)) {
        out_put(out, value);
    } else {
        for (size_t i = 0; i < value.len; i++) {
            if (rule_holds(value.ptr[i], RULE_VALUE)) {
                out_char(out, value.ptr[i]);
            }
        }
    }
    out_text(out, "\r\n");
}

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Days to a date in the Gregorian calendar: eras of 400 years, years from March, so that the leap
 * day is the last of its year. */
void message_write_date(char text[MESSAGE_DATE_LEN], int64_t unix_s)
{
    static const char day_names[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    uint32_t days = (uint32_t)(unix_s / 86400);
    uint32_t second = (uint32_t)(unix_s % 86400);
    uint32_t since_0000_03 = days + 719468u;
    uint32_t era = since_0000_03 / 146097u;
    uint32_t day_of_era = since_0000_03 % 146097u;
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460u + day_of_era / 36524u - day_of_era / 146096u) / 365u;
    uint32_t day_of_year = day_of_era - (365u * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t march_month = (5u * day_of_year + 2u) / 153u;
    uint32_t day = day_of_year - (153u * march_month + 2u) / 5u + 1u;
    uint32_t month = march_month < 10 ? march_month + 2 : march_month - 10; /* from 0 */
    uint32_t year = 400u * era + year_of_era + (month < 2 ? 1 : 0);
    struct out out;
    out_init(&out, text, MESSAGE_DATE_LEN);
    out_bytes(&out, day_names + 3 * (days % 7), 3);
    out_text(&out, ", ");
    out_u64_pad(&out, day, 2);
    out_char(&out, ' ');
    out_bytes(&out, month_names + 3 * month, 3);
    out_char(&out, ' ');
    out_u64_pad(&out, year, 4);
    out_char(&out, ' ');
    out_u64_pad(&out, second / 3600, 2);
    out_char(&out, ':');
    out_u64_pad(&out, second / 60 % 60, 2);
    out_char(&out, ':');
    out_u64_pad(&out, second % 60, 2);
    out_text(&out, " GMT");
}

/* The number at `at` of `len` digits; UINT32_MAX: there is none. */
static uint32_t number_at(struct slice text, size_t at, size_t len)
{
    uint64_t value = 0;
    struct slice digits = slice_take(slice_skip(text, at), len);
    return num_parse_u64(digits, UINT32_MAX - 1u, &value) == LIMPET_OK ? (uint32_t)value
                                                                       : UINT32_MAX;
}

/* Its fields stand in fixed places: "Sun, 06 Nov 1994 08:49:37 GMT". The weekday is not checked. */
int message_read_date(struct slice text, int64_t *unix_s)
{
    uint32_t month = 0; /* from 0 */
    if (text.len != MESSAGE_DATE_LEN || !slice_ends_with(text, SLICE_LIT(" GMT"))) {
        return LIMPET_ERR_SYNTAX;
    }
    while (month < 12 && memcmp(month_names + 3 * month, text.ptr + 8, 3) != 0) {
        month++;
    }
    uint32_t day = number_at(text, 5, 2);
    uint32_t year = number_at(text, 12, 4);
    uint32_t hour = number_at(text, 17, 2);
    uint32_t minute = number_at(text, 20, 2);
    uint32_t second = number_at(text, 23, 2);
    if (month == 12 || day < 1 || day > 31 || year < 1970 || year > 9999 || hour > 23 ||
        minute > 59 || second > 60) {
        return LIMPET_ERR_SYNTAX;
    }
    uint32_t march_month = (month + 10u) % 12u;
    uint32_t y = year - (month < 2 ? 1u : 0u);
    uint32_t days = 365u * y + y / 4u - y / 100u + y / 400u + (153u * march_month + 2u) / 5u + day -
                    1u - 719468u;
    *unix_s = (int64_t)days * 86400 + (int64_t)(hour * 3600u + minute * 60u + second);
    return LIMPET_OK;
}
