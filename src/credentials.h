/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_H
#define PROVISIONERD_CREDENTIALS_H

/*
 * Where credentials come from: the chain of the AWS SDKs, asynchronous on the loop.
 *
 *   1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   2. AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN
 *   3. shared credentials and config files: profiles, source_profile and role_arn chains,
 *      credential_source, web identity. With systemd's LoadCredential=aws-credentials:FILE, the file
 *      $CREDENTIALS_DIRECTORY/aws-credentials comes before ~/.aws/credentials
 *   4. the container endpoint (ECS task role, EKS Pod Identity)
 *   5. IMDSv2 (never v1)
 *
 * The first source that is configured decides; its failure is an error, not a reason to go on to
 * another identity. Credentials are cached, refreshed from five minutes before they expire, and used
 * past their end when the source is down (static stability), with a warning.
 * Secrets are wiped from memory after their last use.
 */

#include "http.h"
#include "loop.h"
#include "sigv4.h"

struct credentials; /* the provider: owns cache and refresh */
struct credentials_request;

struct credentials_options {
    const char *profile; /* NULL: AWS_PROFILE, or "default" */
    const char *region;  /* NULL: AWS_REGION, AWS_DEFAULT_REGION, the profile's, the instance's */
};

/* Borrows loop and http, copies options. Reads nothing yet. */
int credentials_new(struct loop *loop, struct http *http, const struct credentials_options *options,
                    struct credentials **ret);
struct credentials *credentials_free(struct credentials *credentials);

/*
 * The callback comes once, from the loop. On success error is 0, and keys and region are borrowed
 * until it returns. Otherwise error is a negative errno (-ENOKEY: no source is configured) and
 * `why` says what was tried and what to do.
 */
typedef void credentials_done_fn(void *userdata, int error, const char *why,
                                 const struct sigv4_credentials *keys, const char *region);
int credentials_get(struct credentials *credentials, credentials_done_fn *done, void *userdata,
                    struct credentials_request **ret);
void credentials_request_cancel(struct credentials_request *request);

/* AWS refused these keys as expired: the next credentials_get() fetches new ones. */
void credentials_invalidate(struct credentials *credentials);

/*
 * The skew of this host's clock (AWS's time minus ours) as learnt elsewhere: expiry is compared in
 * AWS's time.
 */
void credentials_set_clock_skew(struct credentials *credentials, int64_t skew_ms);

/* endpoint_url of the profile, or of its services section for this service id; NULL if none.
 * Borrowed. service_id is as in AWS_ENDPOINT_URL_<SERVICE>: "CLOUDWATCH_LOGS", "ECS", "STS". */
const char *credentials_endpoint_url(struct credentials *credentials, const char *service_id);

/* "IMDSv2 role bastion", "profile dev in /root/.aws/config": for people. Borrowed. */
const char *credentials_source(const struct credentials *credentials);

#endif
