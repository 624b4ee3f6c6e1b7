/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/internal.h"

/* SplitMix64 (Steele, Lea, Flood 2014): small, and every seed is a good one. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sim_random(struct sim *sim, uint64_t bound)
{
    if (bound == 0)
        return 0;
    return next_random(&sim->random_state) %
           bound; /* the bias is far below what a test could see */
}

/* Names do not draw from the chance of faults: one more id must not change what happens. The serial
 * is the last group, so that an id leads back to its thing. */
void sim_uuid(struct sim *sim, char ret[static SIM_REQUEST_ID_MAX])
{
    uint64_t serial = ++sim->next_serial;
    uint64_t state = sim->seed ^ (serial * UINT64_C(0xd6e8feb86659fd93));
    uint64_t bits = next_random(&state);

    snprintf(ret, SIM_REQUEST_ID_MAX, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(bits >> 32),
             (unsigned)(bits >> 16) & 0xffffu, (unsigned)bits & 0xfffu,
             0x8000u | ((unsigned)(bits >> 12) & 0x3fffu),
             (unsigned long long)(serial & UINT64_C(0xffffffffffff)));
}

int sim_grow_(void **array, size_t *allocated, size_t wanted, size_t size)
{
    if (wanted <= *allocated)
        return 0;
    size_t n = *allocated < 8 ? 8 : *allocated;
    while (n < wanted)
        n *= 2;
    void *grown = reallocarray(*array, n, size);
    if (!grown)
        return -ENOMEM;
    *array = grown;
    *allocated = n;
    return 0;
}

int sim_error_text(char **ret_error, const char *format, ...)
{
    if (!ret_error)
        return -EINVAL;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(ret_error, format, arguments);
    va_end(arguments);
    if (n < 0) {
        *ret_error = NULL;
        return -ENOMEM;
    }
    return -EINVAL;
}
