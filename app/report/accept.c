#include "report/accept.h"

/* Weights of the two forms, in thousandths; 0 = not wanted. */
struct wishes {
    unsigned openmetrics;
    unsigned text;
};

static void read_list(struct slice list, struct wishes *wishes);
static void read_element(struct slice element, struct wishes *wishes);
static struct slice cut(struct slice *rest, char separator);
static unsigned weight_of(struct slice text);

bool accept_openmetrics(const struct message_head *request)
{
    struct wishes wishes = {0, 0};
    for (size_t i = 0; i < request->field_count; i++) {
        if (slice_equal_nocase(request->fields[i].name, SLICE_LIT("accept"))) {
            read_list(request->fields[i].value, &wishes);
        }
    }
    return wishes.openmetrics > 0 && wishes.openmetrics >= wishes.text;
}

static void read_list(struct slice list, struct wishes *wishes)
{
    while (list.len > 0) {
        read_element(cut(&list, ','), wishes);
    }
}

static void read_element(struct slice element, struct wishes *wishes)
{
    struct slice type = cut(&element, ';');
    bool openmetrics = slice_equal_nocase(type, SLICE_LIT("application/openmetrics-text"));
    if (!openmetrics && !slice_equal_nocase(type, SLICE_LIT("text/plain"))) {
        return;
    }
    unsigned weight = 1000;
    while (element.len > 0) {
        struct slice value = cut(&element, ';');
        struct slice name = cut(&value, '=');
        if (slice_equal_nocase(name, SLICE_LIT("q"))) {
            weight = weight_of(value);
        } else if (openmetrics && slice_equal_nocase(name, SLICE_LIT("version")) &&
                   !slice_equal(value, SLICE_LIT("1.0.0")) &&
                   !slice_equal(value, SLICE_LIT("\"1.0.0\""))) {
            return;
        }
    }
    unsigned *wish = openmetrics ? &wishes->openmetrics : &wishes->text;
    *wish = weight > *wish ? weight : *wish;
}

/* What stands before the separator, trimmed; the rest goes on behind it. */
static struct slice cut(struct slice *rest, char separator)
{
    size_t at = slice_find(*rest, separator);
    struct slice head = slice_trim(slice_take(*rest, at));
    *rest = slice_trim(slice_skip(*rest, at + 1));
    return head;
}

/* "1", "0.5", "0.125"; 0 for what is no weight. */
static unsigned weight_of(struct slice text)
{
    unsigned weight = 0;
    unsigned unit = 1000;
    for (size_t i = 0; i < text.len && i < 5; i++) {
        char c = text.ptr[i];
        if (i == 1 && c == '.') {
            continue;
        }
        if (c < '0' || c > '9') {
            return 0;
        }
        weight += (unsigned)(c - '0') * unit;
        unit /= 10;
    }
    return weight > 1000 ? 0 : weight;
}
