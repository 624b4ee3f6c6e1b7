/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "config/config_report.h"
#include "ctl/terminal.h"

#define SHOWN_MAX 20 /* of a list; others can be named */
#define BLANKS " \t\r\n"

bool ask_is_possible(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static char *without_blanks(char *text)
{
    text += strspn(text, BLANKS);
    size_t length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1]))
        text[--length] = '\0';
    return text;
}

int ask_text(const char *question, const char *proposed, char **ret)
{
    const struct terminal terminal = terminal_of(stderr);
    _cleanup_free_ char *line = NULL;
    size_t size = 0;

    terminal_write(&terminal, COLOUR_BOLD, question, 0);
    if (proposed && *proposed) {
        fputs(" [", stderr);
        terminal_write(&terminal, COLOUR_NONE, proposed, 0);
        fputs("]", stderr);
    }
    fputs(": ", stderr);
    if (getline(&line, &size, stdin) < 0) {
        fputc('\n', stderr);
        return -ECANCELED;
    }
    const char *answer = without_blanks(line);
    *ret = strdup(*answer || !proposed ? answer : proposed);
    return *ret ? 0 : -ENOMEM;
}

/* Returns false if it is none of them. */
static bool find_answer(const struct texts *items, const char *answer, size_t *ret)
{
    char *end;
    unsigned long number = strtoul(answer, &end, 10);

    for (size_t i = 0; i < items->n_items; i++) {
        if (strcmp(items->items[i], answer) == 0) {
            *ret = i;
            return true;
        }
    }
    if (*answer < '0' || *answer > '9' || *end || number < 1 || number > items->n_items)
        return false;
    *ret = number - 1;
    return true;
}

static void show_items(const struct terminal *terminal, const struct texts *items)
{
    for (size_t i = 0; i < items->n_items && i < SHOWN_MAX; i++) {
        fprintf(stderr, "  %2zu  ", i + 1);
        terminal_write(terminal, COLOUR_NONE, items->items[i], 0);
        fputc('\n', stderr);
    }
    if (items->n_items > SHOWN_MAX)
        fprintf(stderr, "      and %zu more, which can be named\n", items->n_items - SHOWN_MAX);
}

int ask_choice(const char *question, const struct texts *items, size_t proposed, size_t *ret)
{
    const struct terminal terminal = terminal_of(stderr);

    show_items(&terminal, items);
    for (;;) {
        _cleanup_free_ char *answer = NULL;
        const char *best = NULL;
        int r = ask_text(question, items->items[proposed], &answer);
        if (r < 0)
            return r;
        if (find_answer(items, answer, ret))
            return 0;
        for (size_t i = 0; i < items->n_items; i++)
            config_suggest(answer, items->items[i], &best);
        fputs("That is none of them", stderr);
        if (best) {
            fputs("; did you mean ", stderr);
            terminal_write(&terminal, COLOUR_NONE, best, 0);
        }
        fputs(best ? "?\n" : ".\n", stderr);
    }
}
