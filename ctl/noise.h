/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_NOISE_H
#define PROVISIONERCTL_NOISE_H

/*
 * Requests that nobody makes: health checks of load balancers and orchestrators, monitors, crawlers.
 * They tell by the name that they give themselves in the User-Agent header, or by the path they ask
 * for. Pure; a guess, for people to look at.
 */

#include <stddef.h>

#define NOISE_EXCLUDE_MAX 48

struct noise {
    const char *who;                 /* "a load balancer's health check" */
    char exclude[NOISE_EXCLUDE_MAX]; /* as the message has it: a text for `exclude` */
};

/* Returns 1 and what it is, or 0: it may well be somebody. */
int noise_recognise(const char *message, struct noise *ret);

#endif
