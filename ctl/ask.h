/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_ASK_H
#define PROVISIONERCTL_ASK_H

/*
 * Questions to the person at the terminal, on standard error, so that standard output has only what was
 * asked for. Where nobody can be asked, whoever calls has to do without.
 */

#include <stdbool.h>

#include "ctl/texts.h"

/* Whether somebody is there: standard input is a terminal. */
bool ask_is_possible(void);

/* "QUESTION [proposed]: ". The answer without blanks around it; the proposal if it is empty. Returns 0,
 * -ENOMEM, or -ECANCELED: the end of input. *ret is allocated. */
int ask_text(const char *question, const char *proposed, char **ret);

/*
 * One of the items, by its number or name, proposed ones first: item `proposed` is taken when the answer
 * is empty. An answer that is none is asked for again. Returns as ask_text().
 */
int ask_choice(const char *question, const struct texts *items, size_t proposed, size_t *ret);

#endif
