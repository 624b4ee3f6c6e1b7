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
 * another identity. With options.profile the chain begins at 3, as the AWS CLI does with --profile;
 * a profile asked for by name must exist. credential_process, SSO and MFA are refused in words when
 * a profile has nothing else.
 *
 * Credentials are cached. They are refreshed in the background by whoever asks within the last five
 * minutes of their life; in the last minute the asking waits for it. They are used past their end
 * when the source is down (static stability), with a warning. The shared files are read again when
 * they change.
 * Secrets are wiped from memory after their last use, and are in no message.
 */

#include "http.h"
#include "loop.h"
#include "sigv4.h"

struct credentials; /* the provider: owns cache and refresh */
struct credentials_request;

struct credentials_options {
    const char *profile; /* NULL: AWS_PROFILE, or "default" */
    const char *region;  /* NULL: AWS_REGION, AWS_DEFAULT_REGION, the profile's, the instance's */
    const char *endpoint_url; /* of STS, for assumed roles; NULL: by rule (endpoint.h) */
};

/* Borrows loop and http, copies options. Reads nothing yet. */
int credentials_new(struct loop *loop, struct http *http, const struct credentials_options *options,
                    struct credentials **ret);
struct credentials *credentials_free(struct credentials *credentials);

/*
 * The callback comes once, from the loop; not at all after the cancel. The handle is invalid from
 * the moment it is entered. On success error is 0, and keys and region are borrowed until it
 * returns. Otherwise error is a negative errno (-ENOKEY: no source is configured) and `why` says
 * what was tried and what to do; asking again soon gets the same answer, for some seconds, without
 * the source being asked.
 */
typedef void credentials_done_fn(void *userdata, int error, const char *why,
                                 const struct sigv4_credentials *keys, const char *region);
int credentials_get(struct credentials *credentials, credentials_done_fn *done, void *userdata,
                    struct credentials_request **ret);
void credentials_request_cancel(struct credentials_request *request);

/* AWS refused these keys as expired: the next credentials_get() fetches new ones. Said again within
 * a few seconds, it is taken for the same refusal, told by another call. */
void credentials_invalidate(struct credentials *credentials);

/*
 * The skew of this host's clock (AWS's time minus ours) as learnt elsewhere: expiry is compared in
 * AWS's time.
 */
void credentials_set_clock_skew(struct credentials *credentials, int64_t skew_ms);

/* endpoint_url of the profile, or of its services section for this service id; NULL if none, or
 * before the first success. Borrowed, until control returns to the loop.
 * service_id is as in AWS_ENDPOINT_URL_<SERVICE>: "CLOUDWATCH_LOGS", "ECS", "STS". */
const char *credentials_endpoint_url(struct credentials *credentials, const char *service_id);

/* "IMDSv2 role bastion", "profile dev in /root/.aws/config": for people. Borrowed, as above. */
const char *credentials_source(const struct credentials *credentials);

#endif
