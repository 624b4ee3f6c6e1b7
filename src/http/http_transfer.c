/* SPDX-License-Identifier: MIT */
#include "http/http_transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"

#define USER_AGENT "provisionerd/" PROVISIONERD_VERSION

/* Longer, a handshake will not come about; another attempt may. */
#define CONNECT_TIMEOUT_MS INT64_C(10000)

/* Not a byte in so many seconds: the other side is gone. More than AWS thinks about a request. */
#define STALL_TIMEOUT_S 30L

/* Nobody waits for longer, and curl's long, of 32 bits on some machines, holds it. */
#define TIMEOUT_MAX_MS MS_PER_DAY

/* NAT gateways forget a connection that is silent for 350 s, and tell nobody. */
#define KEEPALIVE_IDLE_S 60L
#define KEEPALIVE_INTERVAL_S 30L

/* The certificate authorities as they were read once: curl would use them for a day, although they
 * may have been renewed, or memory may have been too short to read them well. */
#define CA_CACHE_S 600L

/* Of a response. AWS sends about ten; curl bounds their bytes. */
#define RESPONSE_HEADERS_MAX 200

/* The first allocation for a body: most answers fit. */
#define BODY_CAPACITY_MIN 4096

struct transfer {
    CURL *easy;
    void *owner;

    /* The request, as curl borrows it. */
    struct curl_slist *request_headers;
    char *request_body;
    size_t request_body_size;

    /* The response. */
    char *body;
    size_t body_size;
    size_t body_capacity;
    size_t body_size_max;
    struct http_header *headers;
    bool headers_complete;
    int write_error; /* why the body was refused: curl knows only that it was */
    char error_text[CURL_ERROR_SIZE];
};

DEFINE_CLEANUP(CURLU *, curl_url_cleanup)

static void wipe_free(char *bytes, size_t size)
{
    if (bytes)
        explicit_bzero(bytes, size);
    free(bytes);
}

/* --- the request ----------------------------------------------------------------------------- */

/* RFC 9110 §5.6.2: what a method or a header's name is made of. */
static bool is_token(const char *text)
{
    return *text && !text[strspn(text, "!#$%&'*+-.^_`|~0123456789"
                                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")];
}

/* RFC 9110 §5.5: no CR, LF or other control, lest a value become a header, or a request, of its own. */
static bool is_header_value(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

/* curl would find out only in the course of the transfer. */
static int check_url(const char *text)
{
    _cleanup_(curl_url_cleanup) CURLU *url = curl_url();
    const char *authority = strstr(text, "://");
    char *scheme = NULL;
    bool supported;

    if (!url)
        return -ENOMEM;
    /* curl would look for the host behind a third slash. */
    if (!authority || authority[strlen("://")] == '/')
        return -EINVAL;
    switch (curl_url_set(url, CURLUPART_URL, text, CURLU_PATH_AS_IS | CURLU_DISALLOW_USER)) {
    case CURLUE_OK:
        break;
    case CURLUE_OUT_OF_MEMORY:
        return -ENOMEM;
    default:
        return -EINVAL;
    }
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
        return -ENOMEM;
    supported = strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0;
    curl_free(scheme);
    return supported ? 0 : -EINVAL;
}

static int check_request(const struct http_request *request)
{
    if (!is_token(request->method) || request->timeout_ms <= 0)
        return -EINVAL;
    for (size_t i = 0; i < request->n_headers; i++)
        if (!is_token(request->headers[i].name) || !is_header_value(request->headers[i].value))
            return -EINVAL;
    return check_url(request->url);
}

static int append_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (!longer)
        return -ENOMEM;
    *list = longer;
    return 0;
}

/* curl takes "Name:" for the wish to send no such header; an empty one is written "Name;". */
static int append_header(struct curl_slist **list, const struct http_header *header)
{
    bool empty = !header->value[strspn(header->value, " \t")];
    char *line;
    int length, r;

    length = empty ? asprintf(&line, "%s;", header->name)
                   : asprintf(&line, "%s: %s", header->name, header->value);
    if (length < 0)
        return -ENOMEM;
    r = append_line(list, line);
    wipe_free(line, (size_t)length);
    return r;
}

static int copy_headers(struct transfer *transfer, const struct http_request *request)
{
    bool has_content_type = false;
    int r;

    for (size_t i = 0; i < request->n_headers; i++) {
        r = append_header(&transfer->request_headers, &request->headers[i]);
        if (r < 0)
            return r;
        if (strcasecmp(request->headers[i].name, "Content-Type") == 0)
            has_content_type = true;
    }
    /* curl's own additions: a wait for "100 Continue", and a guess at the type of the body. */
    r = append_line(&transfer->request_headers, "Expect:");
    if (r == 0 && !has_content_type)
        r = append_line(&transfer->request_headers, "Content-Type:");
    return r;
}

static int copy_body(struct transfer *transfer, const struct http_request *request)
{
    /* One byte more: "" is another thing to curl than NULL. */
    transfer->request_body = malloc(request->body_size + 1);
    if (!transfer->request_body)
        return -ENOMEM;
    if (request->body_size > 0)
        memcpy(transfer->request_body, request->body, request->body_size);
    transfer->request_body[request->body_size] = '\0';
    transfer->request_body_size = request->body_size;
    return 0;
}

void transfer_forget_request(struct transfer *transfer)
{
    for (struct curl_slist *line = transfer->request_headers; line; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(transfer->request_headers);
    transfer->request_headers = NULL;

    wipe_free(transfer->request_body, transfer->request_body_size);
    transfer->request_body = NULL;
    transfer->request_body_size = 0;
}

/* --- the response ---------------------------------------------------------------------------- */

/* Not realloc(): it would leave a copy of what may be credentials behind. */
static int grow_body(struct transfer *transfer, size_t size)
{
    size_t capacity = transfer->body_capacity ? transfer->body_capacity : BODY_CAPACITY_MIN;
    char *larger;

    while (capacity < size)
        capacity *= 2;
    if (capacity == transfer->body_capacity)
        return 0;
    larger = malloc(capacity);
    if (!larger)
        return -ENOMEM;
    if (transfer->body_size > 0)
        memcpy(larger, transfer->body, transfer->body_size);
    wipe_free(transfer->body, transfer->body_size);
    transfer->body = larger;
    transfer->body_capacity = capacity;
    return 0;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *userdata)
{
    struct transfer *transfer = userdata;

    (void)one; /* 1, as curl promises */
    if (size > transfer->body_size_max - transfer->body_size)
        transfer->write_error = -EFBIG;
    else
        transfer->write_error = grow_body(transfer, transfer->body_size + size + 1);
    if (transfer->write_error < 0)
        return CURL_WRITEFUNC_ERROR;

    memcpy(transfer->body + transfer->body_size, bytes, size);
    transfer->body_size += size;
    transfer->body[transfer->body_size] = '\0';
    return size;
}

/* Line by line, of one response after the other. curl is content with a response that breaks off
 * within its headers; but a status whose headers are not whole may belong to anything. */
static size_t on_header(char *bytes, size_t one, size_t size, void *userdata)
{
    struct transfer *transfer = userdata;

    (void)one;
    if (size >= strlen("HTTP/") && memcmp(bytes, "HTTP/", strlen("HTTP/")) == 0)
        transfer->headers_complete = false;
    else if (size <= strlen("\r\n") && (bytes[0] == '\r' || bytes[0] == '\n'))
        transfer->headers_complete = true;
    return size;
}

/* curl leaves a part of the line's end in the place of an empty value. */
static const char *value_of(const struct curl_header *header)
{
    return header->value[strspn(header->value, " \t\r\n")] ? header->value : "";
}

/* Interim (1xx) responses, a proxy's answer to CONNECT and trailers are left out by curl. */
static int gather_headers(struct transfer *transfer, size_t *ret_n)
{
    struct curl_header *header = NULL;
    size_t n = 0;

    transfer->headers = calloc(RESPONSE_HEADERS_MAX, sizeof(*transfer->headers));
    if (!transfer->headers)
        return -ENOMEM;
    while ((header = curl_easy_nextheader(transfer->easy, CURLH_HEADER, -1, header))) {
        if (n == RESPONSE_HEADERS_MAX)
            return -EBADMSG;
        /* curl uses its structure again for the next header, but keeps the texts. */
        transfer->headers[n++] =
            (struct http_header){.name = header->name, .value = value_of(header)};
    }
    *ret_n = n;
    return 0;
}

/* The system's own word, where curl passes it on. To have written to a broken connection is the
 * other side of its having been broken. */
static int system_error(struct transfer *transfer, int otherwise)
{
    long number = 0;

    if (curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number) != CURLE_OK || number <= 0)
        return otherwise;
    return number == EPIPE ? -ECONNRESET : (int)-number;
}

static bool is_being_answered(struct transfer *transfer)
{
    long size = 0;

    return curl_easy_getinfo(transfer->easy, CURLINFO_HEADER_SIZE, &size) == CURLE_OK && size > 0;
}

/* See http_response. */
static int errno_of_result(struct transfer *transfer, CURLcode result)
{
    switch (result) {
    case CURLE_OK:
        return transfer->headers_complete ? 0 : -EBADMSG;
    case CURLE_WRITE_ERROR:
        return transfer->write_error ? transfer->write_error : -EIO;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return -EHOSTUNREACH;
    case CURLE_COULDNT_CONNECT:
        return system_error(transfer, -ECONNREFUSED);
    case CURLE_SEND_ERROR:
        return system_error(transfer, -ECONNRESET);
    case CURLE_RECV_ERROR: /* also for a chunk that is none */
        return system_error(transfer, -EBADMSG);
    case CURLE_GOT_NOTHING:
        return -ECONNRESET;
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer in HTTP/0.9: the URL's has been looked at before */
    case CURLE_BAD_CONTENT_ENCODING:
#if LIBCURL_VERSION_NUM >= 0x080600
    case CURLE_TOO_LARGE: /* headers beyond curl's limit */
#endif
        return -EBADMSG;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return -EPROTO;
    case CURLE_OUT_OF_MEMORY: /* before 8.6 also for headers beyond curl's limit */
        return is_being_answered(transfer) ? -EBADMSG : -ENOMEM;
    default:
        return -EIO;
    }
}

static const char *text_of_error(const struct transfer *transfer, CURLcode result, int error)
{
    if (error == -EFBIG)
        return "the response is larger than accepted";
    if (transfer->error_text[0])
        return transfer->error_text;
    if (result == CURLE_OUT_OF_MEMORY && error == -EBADMSG)
        return "the response's headers are too large";
    if (result != CURLE_OK)
        return curl_easy_strerror(result);
    if (error == -EBADMSG)
        return transfer->headers_complete ? "the response has too many headers"
                                          : "the response ends within its headers";
    return strerrordesc_np(-error);
}

void transfer_response(struct transfer *transfer, CURLcode result, int error,
                       struct http_response *ret)
{
    struct http_response response = {.body = ""};
    long status = 0;

    if (error == 0)
        error = errno_of_result(transfer, result);
    if (error == 0)
        error = gather_headers(transfer, &response.n_headers);
    if (error == 0 &&
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
        error = -EIO;
    if (error < 0) {
        *ret = (struct http_response){
            .error = error, .error_text = text_of_error(transfer, result, error), .body = ""};
        return;
    }
    response.status = (int)status;
    response.headers = transfer->headers;
    if (transfer->body) {
        response.body = transfer->body;
        response.body_size = transfer->body_size;
    }
    *ret = response;
}

/* --- the handle ------------------------------------------------------------------------------ */

/* Each option of a list: the first failure ends it. Only memory can be short, or curl too old. */
#define SET(option, value)                                            \
    do {                                                              \
        CURLcode code_ = curl_easy_setopt(easy, (option), (value));   \
        if (code_ != CURLE_OK)                                        \
            return code_ == CURLE_OUT_OF_MEMORY ? -ENOMEM : -ENOTSUP; \
    } while (false)

static int set_request(struct transfer *transfer, const struct http_request *request)
{
    bool is_get = strcmp(request->method, "GET") == 0;
    bool is_head = strcmp(request->method, "HEAD") == 0;
    CURL *easy = transfer->easy;

    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PATH_AS_IS, 1L); /* the path has been signed as it stands */
    SET(CURLOPT_HTTPHEADER, transfer->request_headers);
    SET(CURLOPT_USERAGENT, USER_AGENT);
    if (is_head) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (request->body_size > 0 || !is_get) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, transfer->request_body);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->request_body_size);
    }
    if (!is_head)
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    return 0;
}

static int set_protocol(struct transfer *transfer, const char *ca_bundle, bool direct)
{
    CURL *easy = transfer->easy;

    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    /*
     * HTTP/1.1, although AWS would speak 2 in places: calls are few, bounded by budgets and short,
     * so that streams would save next to nothing; and here what goes wrong on one connection is one
     * call's misfortune, and giving a call up closes one connection.
     */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (direct)
        SET(CURLOPT_PROXY, ""); /* the environment's variables do not count */

    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
    if (ca_bundle) {
        SET(CURLOPT_CAINFO, ca_bundle);
        SET(CURLOPT_CAPATH, NULL); /* in place of the system's, not beside them */
        SET(CURLOPT_PROXY_CAINFO, ca_bundle);
        SET(CURLOPT_PROXY_CAPATH, NULL);
    }
    return 0;
}

static int set_limits(struct transfer *transfer, int64_t timeout_ms)
{
    int64_t whole_ms = timeout_ms < TIMEOUT_MAX_MS ? timeout_ms : TIMEOUT_MAX_MS;
    int64_t connect_ms = whole_ms < CONNECT_TIMEOUT_MS ? whole_ms : CONNECT_TIMEOUT_MS;
    CURL *easy = transfer->easy;

    SET(CURLOPT_TIMEOUT_MS, (long)whole_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, STALL_TIMEOUT_S);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    SET(CURLOPT_NOSIGNAL, 1L);
    /* A name server that does not answer must not hold up whoever gives a call up: the resolver's
     * thread is let go, and ends by itself. */
    SET(CURLOPT_QUICK_EXIT, 1L);
    return 0;
}

static int set_callbacks(struct transfer *transfer)
{
    CURL *easy = transfer->easy;

    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->error_text);
    SET(CURLOPT_PRIVATE, transfer);
    return 0;
}

static int fill(struct transfer *transfer, const struct http_request *request,
                const char *ca_bundle)
{
    int r;

    transfer->easy = curl_easy_init();
    if (!transfer->easy)
        return -ENOMEM;
    r = copy_headers(transfer, request);
    if (r == 0)
        r = copy_body(transfer, request);
    if (r == 0)
        r = set_callbacks(transfer);
    if (r == 0)
        r = set_request(transfer, request);
    if (r == 0)
        r = set_protocol(transfer, ca_bundle, request->direct);
    if (r == 0)
        r = set_limits(transfer, request->timeout_ms);
    return r;
}

int transfer_new(const struct http_request *request, const char *ca_bundle, void *owner,
                 struct transfer **ret)
{
    struct transfer *transfer;
    int r;

    r = check_request(request);
    if (r < 0)
        return r;
    transfer = calloc(1, sizeof(*transfer));
    if (!transfer)
        return -ENOMEM;
    transfer->owner = owner;
    transfer->body_size_max = request->response_size_max;
    r = fill(transfer, request, ca_bundle);
    if (r < 0) {
        transfer_free(transfer);
        return r;
    }
    *ret = transfer;
    return 0;
}

struct transfer *transfer_free(struct transfer *transfer)
{
    if (!transfer)
        return NULL;
    if (transfer->easy)
        curl_easy_cleanup(transfer->easy);
    transfer_forget_request(transfer);
    wipe_free(transfer->body, transfer->body_size);
    free(transfer->headers);
    free(transfer);
    return NULL;
}

CURL *transfer_easy(struct transfer *transfer)
{
    return transfer->easy;
}

void *transfer_owner(CURL *easy)
{
    char *private = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private) != CURLE_OK || !private)
        return NULL;
    return ((struct transfer *)(void *)private)->owner;
}
