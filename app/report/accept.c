#include "report/accept.h"

/* Weights of the two forms, in thousandths; 0 = not wanted. */
struct wishes {
    unsigned openmetrics;
    unsigned text;
    unsigned text_rank; /* of the most precise range so far, whose weight counts */
};

/* What means text/plain, from vague to precise; the index + 1 is its rank. */
static const struct slice text_ranges[] = {{"*/*", 3}, {"text/*", 6}, {"text/plain", 10}};

static void read_list(struct slice list, struct wishes *wishes);
static void read_element(struct slice element, struct wishes *wishes);
static struct slice cut(struct slice *rest, char separator);
static unsigned weight_of(struct slice text);

bool accept_openmetrics(const struct message_head *request)
{
    struct wishes wishes = {0, 0, 0};
    for (size_t i = 0; i < request->field_count; i++) {
        struct message_field field = message_field(request, i);
        if (slice_equal_nocase(field.name, SLICE_LIT("accept"))) {
            read_list(field.value, &wishes);
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

/* 0: not for text/plain. */
static unsigned text_rank_of(struct slice type)
{
    unsigned rank = sizeof(text_ranges) / sizeof(text_ranges[0]);
    while (rank > 0 && !slice_equal_nocase(type, text_ranges[rank - 1])) {
        rank--;
    }
    return rank;
}

/* RFC 9110 section 12.5.1: the most precise range counts. */
static void wish_text(struct wishes *wishes, unsigned rank, unsigned weight)
{
    if (rank > wishes->text_rank || (rank == wishes->text_rank && weight > wishes->text)) {
        wishes->text_rank = rank;
        wishes->text = weight;
    }
}

static void read_element(struct slice element, struct wishes *wishes)
{
    struct slice type = cut(&element, ';');
    bool openmetrics = slice_equal_nocase(type, SLICE_LIT("application/openmetrics-text"));
    unsigned text_rank = text_rank_of(type);
    if (!openmetrics && text_rank == 0) {
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
    if (!openmetrics) {
        wish_text(wishes, text_rank, weight);
    } else if (weight > wishes->openmetrics) {
        wishes->openmetrics = weight;
    }
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
