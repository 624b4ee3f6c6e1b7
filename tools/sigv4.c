/* SPDX-License-Identifier: MIT */
/*
 * sigv4: signs a raw HTTP request, read on standard input, and prints what was asked for. Made to
 * hold src/sigv4.c against public test vectors and against other signers.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"
#include "clock.h"
#include "sigv4.h"

#define EXIT_USAGE 2
#define EXIT_NOT_SIGNED 1

/* One request; AWS's own JSON services stop at 16 MiB. */
#define INPUT_MAX ((size_t)64 * 1024 * 1024)
#define INPUT_CHUNK ((size_t)64 * 1024)

static const char help[] =
    "Usage: sigv4 --region REGION --service SERVICE [OPTION...] < REQUEST\n"
    "\n"
    "Signs a raw HTTP request (request line, headers, empty line, body) with AWS Signature\n"
    "Version 4 and prints one text about it.\n"
    "\n"
    "  --region REGION         of the credential scope, such as eu-west-1\n"
    "  --service SERVICE       signing name of the service, such as logs\n"
    "  --access-key ID         else AWS_ACCESS_KEY_ID of the environment\n"
    "  --secret-key SECRET     else AWS_SECRET_ACCESS_KEY of the environment\n"
    "  --token TOKEN           else the request's X-Amz-Security-Token, else AWS_SESSION_TOKEN\n"
    "                          of the environment where the access key comes from there too\n"
    "  --date DATE             20150830T123600Z; else the request's X-Amz-Date\n"
    "  --normalize             normalise the path (this is the default)\n"
    "  --no-normalize          take the path as it is, as S3 does\n"
    "  --sign-body             add and sign X-Amz-Content-Sha256\n"
    "  --omit-session-token    do not sign the token: it is added to the request afterwards\n"
    "\n"
    "  --authorization         print the Authorization header's value (this is the default)\n"
    "  --signature             print the signature\n"
    "  --string-to-sign        print the string to sign\n"
    "  --canonical-request     print the canonical request\n"
    "  --batch                 read many requests, each after a line with its size in bytes, and\n"
    "                          print one line (authorization or signature) for each\n"
    "  --help                  print this\n"
    "\n"
    "All headers of the request are signed, except those that signing itself makes:\n"
    "Authorization, X-Amz-Date, X-Amz-Security-Token and, with --sign-body,\n"
    "X-Amz-Content-Sha256, which are made anew.\n"
    "\n"
    "What stands on a command line, every user of the machine can see in the list of processes:\n"
    "give real secrets by the environment.\n"
    "\n"
    "Exit status: 0 signed, 1 not signed, 2 wrong usage.\n";

enum output {
    OUTPUT_AUTHORIZATION,
    OUTPUT_SIGNATURE,
    OUTPUT_STRING_TO_SIGN,
    OUTPUT_CANONICAL_REQUEST,
};

struct options {
    struct sigv4_credentials credentials;
    struct sigv4_scope scope;
    const char *date;
    enum output output;
    bool batch;
};

/* A request in its buffer, cut up in place. */
struct message {
    struct sigv4_request request;
    struct sigv4_header headers[SIGV4_HEADERS_MAX];
    const char *date;  /* of its X-Amz-Date, or NULL */
    const char *token; /* of its X-Amz-Security-Token, or NULL */
};

static int complain(const char *what)
{
    fprintf(stderr, "sigv4: %s\n", what);
    return EXIT_NOT_SIGNED;
}

/* ---- the request's text ---- */

/* What is left of a buffer that has a NUL beyond its end. */
struct input {
    char *next;
    char *end;
    bool has_nul; /* a line taken so far had a NUL, and so seems shorter than it is */
};

/*
 * Takes a line off the front, ended by LF, CRLF or the input's end, and ends it with a NUL. A line
 * that is folded (the next one begins with a blank) goes on there, its line end made blanks.
 */
static char *take_line(struct input *input, bool folded)
{
    char *line = input->next;

    if (line == input->end)
        return NULL;
    for (char *at = line;; at++) {
        char *newline = memchr(at, '\n', (size_t)(input->end - at));
        char *last = newline ? newline : input->end;

        input->next = newline ? newline + 1 : input->end;
        if (last > line && last[-1] == '\r')
            last--;
        if (!folded || last == line || (*input->next != ' ' && *input->next != '\t')) {
            *last = '\0';
            input->has_nul |= strlen(line) != (size_t)(last - line);
            return line;
        }
        memset(last, ' ', (size_t)(input->next - last));
        at = newline;
    }
}

static char *trim(char *text)
{
    char *end;

    text += strspn(text, " \t");
    end = text + strlen(text);
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return text;
}

/* The target lies between the first space and the version, and may have spaces of its own. */
static bool parse_request_line(char *line, struct sigv4_request *request)
{
    char *target = strchr(line, ' ');
    char *version, *query;

    if (!target)
        return false;
    *target++ = '\0';
    version = strrchr(target, ' ');
    if (version && strncmp(version, " HTTP/", strlen(" HTTP/")) == 0)
        *version = '\0';
    query = strchr(target, '?');
    if (query)
        *query++ = '\0';
    request->method = line;
    request->path = target;
    request->query = query;
    return true;
}

static bool add_header(struct message *message, char *name, char *value, bool sign_body)
{
    if (strcasecmp(name, "X-Amz-Date") == 0)
        message->date = trim(value);
    else if (strcasecmp(name, "X-Amz-Security-Token") == 0)
        message->token = trim(value);
    else if (strcasecmp(name, "Authorization") == 0 ||
             (sign_body && strcasecmp(name, "X-Amz-Content-Sha256") == 0))
        return true;
    else if (message->request.n_headers == SIGV4_HEADERS_MAX)
        return false;
    else
        message->headers[message->request.n_headers++] =
            (struct sigv4_header){.name = name, .value = value};
    return true;
}

/* Returns NULL, or what is wrong with the request. */
static const char *parse_message(char *bytes, size_t size, bool sign_body, struct message *ret)
{
    struct input input = {.next = bytes, .end = bytes + size};
    char *line;

    *ret = (struct message){.request.headers = ret->headers};
    line = take_line(&input, false);
    if (!line || !parse_request_line(line, &ret->request))
        return "the request does not begin with a request line (GET / HTTP/1.1)";
    while ((line = take_line(&input, true)) && *line) {
        char *colon = strchr(line, ':');

        if (!colon)
            return "a header line has no colon";
        *colon = '\0';
        if (!add_header(ret, line, colon + 1, sign_body))
            return "the request has too many headers";
    }
    if (input.has_nul)
        return "the request has a NUL byte before its body";
    ret->request.body = input.next;
    ret->request.body_size = (size_t)(input.end - input.next);
    return NULL;
}

/* ---- signing one request ---- */

/* "20150830T123600Z" */
static int parse_date(const char *text, struct wall *ret)
{
    char iso[WALL_TEXT_MAX];

    if (strlen(text) != SIGV4_DATE_MAX - 1)
        return -EINVAL;
    snprintf(iso, sizeof(iso), "%.4s-%.2s-%.5s:%.2s:%.3s", text, text + 4, text + 6, text + 11,
             text + 13);
    return wall_parse_iso(iso, ret);
}

static int print_signed(const struct options *options, struct sigv4_signer *signer,
                        const struct sigv4_request *request,
                        const struct sigv4_credentials *credentials, struct wall time)
{
    struct sigv4_signature signature;
    _cleanup_free_ char *text = NULL;
    const char *result;
    int r;

    switch (options->output) {
    case OUTPUT_CANONICAL_REQUEST:
        r = sigv4_canonical_request(request, credentials, &options->scope, time, &text);
        result = text;
        break;
    case OUTPUT_STRING_TO_SIGN:
        r = sigv4_string_to_sign(request, credentials, &options->scope, time, &text);
        result = text;
        break;
    default:
        r = sigv4_sign(signer, request, credentials, &options->scope, time, &signature);
        result =
            options->output == OUTPUT_SIGNATURE ? signature.signature : signature.authorization;
    }
    if (r == 0)
        puts(result);
    return r;
}

static int sign(const struct options *options, struct sigv4_signer *signer, char *bytes,
                size_t size)
{
    struct sigv4_credentials credentials = options->credentials;
    struct message message;
    struct wall time;
    const char *wrong, *date;
    int r;

    wrong = parse_message(bytes, size, options->scope.sign_body, &message);
    if (wrong)
        return complain(wrong);
    if (!credentials.session_token)
        credentials.session_token = message.token;
    date = options->date ? options->date : message.date;
    if (!date)
        return complain("no date: give --date, or X-Amz-Date in the request");
    if (parse_date(date, &time) < 0)
        return complain("the date is not of the form 20150830T123600Z");

    r = print_signed(options, signer, &message.request, &credentials, time);
    if (r == -EINVAL)
        return complain("the request cannot be signed: it needs a method, a path that begins with "
                        "'/', a Host header, and no character that HTTP forbids there");
    if (r == -E2BIG)
        return complain("the request is too large to be signed");
    return r < 0 ? complain(strerrordesc_np(-r)) : EXIT_SUCCESS;
}

/* ---- input ---- */

/* Reads up to `max` bytes and a NUL beyond them. Returns 0, -E2BIG, -EIO or -ENOMEM. */
static int read_all(FILE *file, size_t max, char **ret, size_t *ret_size)
{
    _cleanup_free_ char *bytes = NULL;
    size_t size = 0, allocated = 0;

    do {
        if (size > max)
            return -E2BIG;
        if (allocated - size <= 1) {
            char *larger;

            allocated = allocated * 2 + INPUT_CHUNK;
            larger = realloc(bytes, allocated);
            if (!larger)
                return -ENOMEM;
            bytes = larger;
        }
        size += fread(bytes + size, 1, allocated - size - 1, file);
        if (ferror(file))
            return -EIO;
    } while (!feof(file));
    if (size > max)
        return -E2BIG;
    bytes[size] = '\0';
    *ret = TAKE(bytes);
    *ret_size = size;
    return 0;
}

static int sign_single(const struct options *options, struct sigv4_signer *signer)
{
    _cleanup_free_ char *bytes = NULL;
    size_t size;
    int r;

    r = read_all(stdin, INPUT_MAX, &bytes, &size);
    if (r == -E2BIG)
        return complain("standard input is larger than 64 MiB");
    if (r < 0)
        return complain(strerrordesc_np(-r));
    return sign(options, signer, bytes, size);
}

/* The size before a request of a batch. Returns 1, 0 at the end of input, or -EINVAL. */
static int read_size(FILE *file, size_t *ret)
{
    char line[sizeof("67108864\n")], *end;
    unsigned long size;

    if (!fgets(line, sizeof(line), file))
        return ferror(file) ? -EINVAL : 0;
    if (line[0] < '0' || line[0] > '9')
        return -EINVAL;
    size = strtoul(line, &end, 10);
    if (*end != '\n' || size > INPUT_MAX)
        return -EINVAL;
    *ret = size;
    return 1;
}

static int sign_batch(const struct options *options, struct sigv4_signer *signer)
{
    for (;;) {
        _cleanup_free_ char *bytes = NULL;
        size_t size;
        int r;

        r = read_size(stdin, &size);
        if (r == 0)
            return EXIT_SUCCESS;
        if (r < 0)
            return complain("a request of the batch does not begin with its size in bytes");
        bytes = malloc(size + 1);
        if (!bytes)
            return complain(strerrordesc_np(ENOMEM));
        if (fread(bytes, 1, size, stdin) != size)
            return complain("the batch ends within a request");
        bytes[size] = '\0';
        r = sign(options, signer, bytes, size);
        if (r != EXIT_SUCCESS)
            return r;
    }
}

/* ---- command line ---- */

enum {
    OPTION_REGION = 0x100,
    OPTION_SERVICE,
    OPTION_ACCESS_KEY,
    OPTION_SECRET_KEY,
    OPTION_TOKEN,
    OPTION_DATE,
    OPTION_NORMALIZE,
    OPTION_NO_NORMALIZE,
    OPTION_SIGN_BODY,
    OPTION_OMIT_SESSION_TOKEN,
    OPTION_AUTHORIZATION,
    OPTION_SIGNATURE,
    OPTION_STRING_TO_SIGN,
    OPTION_CANONICAL_REQUEST,
    OPTION_BATCH,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"region", required_argument, NULL, OPTION_REGION},
    {"service", required_argument, NULL, OPTION_SERVICE},
    {"access-key", required_argument, NULL, OPTION_ACCESS_KEY},
    {"secret-key", required_argument, NULL, OPTION_SECRET_KEY},
    {"token", required_argument, NULL, OPTION_TOKEN},
    {"date", required_argument, NULL, OPTION_DATE},
    {"normalize", no_argument, NULL, OPTION_NORMALIZE},
    {"no-normalize", no_argument, NULL, OPTION_NO_NORMALIZE},
    {"sign-body", no_argument, NULL, OPTION_SIGN_BODY},
    {"omit-session-token", no_argument, NULL, OPTION_OMIT_SESSION_TOKEN},
    {"authorization", no_argument, NULL, OPTION_AUTHORIZATION},
    {"signature", no_argument, NULL, OPTION_SIGNATURE},
    {"string-to-sign", no_argument, NULL, OPTION_STRING_TO_SIGN},
    {"canonical-request", no_argument, NULL, OPTION_CANONICAL_REQUEST},
    {"batch", no_argument, NULL, OPTION_BATCH},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

static int usage_error(const char *what)
{
    fprintf(stderr, "sigv4: %s\nTry 'sigv4 --help'.\n", what);
    return EXIT_USAGE;
}

/* Returns -1 to go on, or the exit status. */
static int apply_option(struct options *options, int option, const char *value)
{
    switch (option) {
    case OPTION_REGION:
        options->scope.region = value;
        break;
    case OPTION_SERVICE:
        options->scope.service = value;
        break;
    case OPTION_ACCESS_KEY:
        options->credentials.access_key_id = value;
        break;
    case OPTION_SECRET_KEY:
        options->credentials.secret_access_key = value;
        break;
    case OPTION_TOKEN:
        options->credentials.session_token = value;
        break;
    case OPTION_DATE:
        options->date = value;
        break;
    case OPTION_NORMALIZE:
    case OPTION_NO_NORMALIZE:
        options->scope.raw_path = option == OPTION_NO_NORMALIZE;
        break;
    case OPTION_SIGN_BODY:
        options->scope.sign_body = true;
        break;
    case OPTION_OMIT_SESSION_TOKEN:
        options->scope.omit_token = true;
        break;
    case OPTION_AUTHORIZATION:
    case OPTION_SIGNATURE:
    case OPTION_STRING_TO_SIGN:
    case OPTION_CANONICAL_REQUEST:
        options->output = (enum output)(option - OPTION_AUTHORIZATION);
        break;
    case OPTION_BATCH:
        options->batch = true;
        break;
    case OPTION_HELP:
        fputs(help, stdout);
        return EXIT_SUCCESS;
    default: /* getopt_long() has said what is wrong */
        fputs("Try 'sigv4 --help'.\n", stderr);
        return EXIT_USAGE;
    }
    return -1;
}

static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);

    return value && *value ? value : NULL;
}

/* Key and token of the environment go together: its token is not for another key. */
static void complete_from_environment(struct sigv4_credentials *credentials)
{
    if (!credentials->access_key_id) {
        credentials->access_key_id = environment("AWS_ACCESS_KEY_ID");
        if (!credentials->session_token)
            credentials->session_token = environment("AWS_SESSION_TOKEN");
    }
    if (!credentials->secret_access_key)
        credentials->secret_access_key = environment("AWS_SECRET_ACCESS_KEY");
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct options *ret)
{
    int option, r;

    *ret = (struct options){0};
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        r = apply_option(ret, option, optarg);
        if (r >= 0)
            return r;
    }
    if (optind < argc)
        return usage_error("the request is read on standard input; there are only options");
    if (!ret->scope.region || !ret->scope.service)
        return usage_error("--region and --service are needed");
    complete_from_environment(&ret->credentials);
    if (!ret->credentials.access_key_id || !ret->credentials.secret_access_key)
        return usage_error("no credentials: give --access-key and --secret-key, or "
                           "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment");
    if (ret->batch && ret->output > OUTPUT_SIGNATURE)
        return usage_error("--batch prints lines: authorizations or signatures");
    return -1;
}

int main(int argc, char **argv)
{
    struct options options;
    struct sigv4_signer signer = {0};
    int status;

    status = parse_options(argc, argv, &options);
    if (status >= 0)
        return status;
    status = options.batch ? sign_batch(&options, &signer) : sign_single(&options, &signer);
    sigv4_signer_wipe(&signer);
    if (fflush(stdout) != 0)
        return complain(strerrordesc_np(errno));
    return status;
}
