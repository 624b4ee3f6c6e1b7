/* SPDX-License-Identifier: MIT */
/* What somebody wrote into a log group cannot forge a line of ours. */

#include <string.h>

#include "src/log.h"
#include "tests/fuzz/fuzz.h"

struct record {
    unsigned n;
    size_t length;
};

/* Controls of C0 and C1, and what breaks lines or turns their direction: in UTF-8. */
static bool holds_control(const char *text)
{
    static const char *const FORBIDDEN[] = {
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaa", "\xe2\x80\xab",
        "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae", "\xe2\x81\xa6",
        "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9",
    };

    for (size_t i = 0; i < sizeof(FORBIDDEN) / sizeof(FORBIDDEN[0]); i++)
        if (strstr(text, FORBIDDEN[i]))
            return true;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0))
            return true;
    return false;
}

static void note(void *userdata, int level, const char *message_id, const struct log_field *fields,
                 size_t n_fields, const char *message)
{
    struct record *record = userdata;

    (void)level, (void)message_id, (void)fields, (void)n_fields;
    record->n++;
    record->length = strlen(message);
    MUST(record->length < LOG_MESSAGE_MAX);
    MUST(fuzz_is_utf8(message, record->length));
    MUST(!holds_control(message));
}

/* Nothing in it needs an escape. */
static bool is_plain(const char *text)
{
    return fuzz_is_utf8(text, strlen(text)) && !holds_control(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *text = fuzz_take_text(&input);
    struct record record = {0};

    log_set_sink(note, &record);
    log_record(LOG_INFO, NULL, NULL, 0, text);
    MUST(record.n == 1);
    if (is_plain(text) && strlen(text) < LOG_MESSAGE_MAX)
        MUST(record.length == strlen(text));
    log_message(LOG_WARNING, "%s", text);
    MUST(record.n == 2);
    log_set_sink(NULL, NULL);
    free(text);
    return 0;
}
