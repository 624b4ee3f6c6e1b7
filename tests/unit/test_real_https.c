/* SPDX-License-Identifier: MIT */

/* Whom the real transport trusts. The authorities and certificates are made here, afresh each run. */

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "real_http.h"

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
    char bundle[40]; /* a PEM file of it */
};

static struct authority ours, theirs;
static struct server *server;
static struct client client;

/* --- certificates ---------------------------------------------------------------------------- */

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* issuer NULL: signed by itself. Valid from 10 days ago; to `days` from now, or ago. */
static X509 *certificate_new(EVP_PKEY *key, const char *name, int days,
                             const struct authority *issuer)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    X509_NAME *subject;

    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, 2), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    assert_non_null(X509_time_adj_ex(X509_getm_notBefore(certificate), -10, 0, NULL));
    assert_non_null(X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, NULL));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);

    subject = X509_get_subject_name(certificate);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    assert_int_equal(
        X509_set_issuer_name(certificate,
                             issuer ? X509_get_subject_name(issuer->certificate) : subject),
        1);
    return certificate;
}

static EVP_PKEY *key_new(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    assert_non_null(key);
    return key;
}

static void authority_init(struct authority *authority, const char *name)
{
    FILE *file;
    int fd;

    authority->key = key_new();
    authority->certificate = certificate_new(authority->key, name, 10, NULL);
    add_extension(authority->certificate, authority->certificate, NID_basic_constraints,
                  "critical,CA:TRUE");
    add_extension(authority->certificate, authority->certificate, NID_key_usage,
                  "critical,keyCertSign");
    assert_true(X509_sign(authority->certificate, authority->key, EVP_sha256()) > 0);

    strcpy(authority->bundle, "/tmp/test_real_https.XXXXXX");
    fd = mkstemp(authority->bundle);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, authority->certificate), 1);
    assert_int_equal(fclose(file), 0);
}

static void authority_clear(struct authority *authority)
{
    unlink(authority->bundle);
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
}

/* A server's side of TLS, with a certificate by our authority for `hosts`. */
static SSL_CTX *tls_new(const char *hosts, int days)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = key_new();
    X509 *certificate = certificate_new(key, "server", days, &ours);

    assert_non_null(tls);
    add_extension(certificate, ours.certificate, NID_subject_alt_name, hosts);
    assert_true(X509_sign(certificate, ours.key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(tls, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(tls, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return tls;
}

/* --- what the server says -------------------------------------------------------------------- */

static enum fate answer(struct connection *connection, const char *path, const char *request)
{
    (void)request;
    if (strcmp(path, "/cut-off") == 0) {
        say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.");
        return RESET;
    }
    say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    return KEEP;
}

/* --- what the tests say ---------------------------------------------------------------------- */

/* Fetches a page of a server with this side of TLS, trusting this bundle. Frees tls. */
static void fetch(struct exchange *exchange, SSL_CTX *tls, const char *bundle, const char *path)
{
    char url[100];

    server = server_new(answer, tls);
    client_start(&client, bundle);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d%s", server->port, path);
    exchange_init(exchange, &client, url);
    exchange_send(exchange);
    client_run(&client);
    assert_int_equal(exchange->n_done, 1);
    client_stop(&client);
    server_free(server);
    SSL_CTX_free(tls);
}

static void expect_hello(SSL_CTX *tls, const char *bundle)
{
    struct exchange exchange;

    fetch(&exchange, tls, bundle, "/hello");
    if (exchange.error != 0)
        fail_msg("%s: %s", strerror(-exchange.error), exchange.error_text);
    assert_string_equal(exchange.body, "hello");
    exchange_clear(&exchange);
}

static void expect_no_trust(SSL_CTX *tls, const char *bundle)
{
    struct exchange exchange;

    fetch(&exchange, tls, bundle, "/hello");
    assert_int_equal(exchange.error, -EPROTO);
    assert_string_not_equal(exchange.error_text, "");
}

static void test_a_server_of_the_given_authority_is_trusted(void **state)
{
    (void)state;
    expect_hello(tls_new("IP:127.0.0.1", 10), ours.bundle);
}

static void test_a_server_of_another_authority_is_not(void **state)
{
    (void)state;
    expect_no_trust(tls_new("IP:127.0.0.1", 10), theirs.bundle);
}

static void test_the_systems_authorities_do_not_know_ours(void **state)
{
    (void)state;
    expect_no_trust(tls_new("IP:127.0.0.1", 10), NULL);
}

static void test_a_certificate_for_another_host_is_refused(void **state)
{
    (void)state;
    expect_no_trust(tls_new("IP:127.0.0.2,DNS:logs.eu-west-1.amazonaws.com", 10), ours.bundle);
}

static void test_an_expired_certificate_is_refused(void **state)
{
    (void)state;
    expect_no_trust(tls_new("IP:127.0.0.1", -1), ours.bundle);
}

static void test_an_old_version_of_tls_is_refused(void **state)
{
    SSL_CTX *tls = tls_new("IP:127.0.0.1", 10);

    (void)state;
    SSL_CTX_set_security_level(tls, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(tls, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(tls, TLS1_1_VERSION), 1);
    expect_no_trust(tls, ours.bundle);
}

static void test_a_bundle_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    expect_no_trust(tls_new("IP:127.0.0.1", 10), "/nonexistent/bundle.pem");
}

/* It takes the handshake for a request that does not end. */
static void test_a_server_without_tls_is_an_error(void **state)
{
    struct exchange exchange;
    char url[100];

    (void)state;
    server = server_new(answer, NULL);
    client_start(&client, ours.bundle);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/hello", server->port);
    exchange_init(&exchange, &client, url);
    exchange.request.timeout_ms = 200;
    exchange_send(&exchange);
    client_run(&client);
    assert_int_equal(exchange.error, -ETIMEDOUT);
    client_stop(&client);
    server_free(server);
}

static void test_a_reset_within_the_body_is_an_error(void **state)
{
    struct exchange exchange;

    (void)state;
    fetch(&exchange, tls_new("IP:127.0.0.1", 10), ours.bundle, "/cut-off");
    assert_int_equal(exchange.error, -ECONNRESET);
}

static struct exchange sequence[3];

static void send_next(struct exchange *exchange)
{
    if (exchange < &sequence[ARRAY_LENGTH(sequence) - 1]) {
        exchange_init(exchange + 1, &client, exchange->request.url);
        exchange[1].then = send_next;
        exchange_send(exchange + 1);
    }
}

static void test_one_handshake_serves_many_requests(void **state)
{
    SSL_CTX *tls = tls_new("IP:127.0.0.1", 10);
    char url[100];

    (void)state;
    server = server_new(answer, tls);
    client_start(&client, ours.bundle);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/hello", server->port);
    exchange_init(&sequence[0], &client, url);
    sequence[0].then = send_next;
    exchange_send(&sequence[0]);
    client_run(&client);
    for (size_t i = 0; i < ARRAY_LENGTH(sequence); i++) {
        assert_int_equal(sequence[i].error, 0);
        exchange_clear(&sequence[i]);
    }
    assert_int_equal(server->n_connections, 1);
    assert_int_equal(SSL_CTX_sess_accept_good(tls), 1);
    client_stop(&client);
    server_free(server);
    SSL_CTX_free(tls);
}

static int make_authorities(void **state)
{
    (void)state;
    authority_init(&ours, "ours");
    authority_init(&theirs, "theirs");
    return 0;
}

static int forget_authorities(void **state)
{
    (void)state;
    authority_clear(&ours);
    authority_clear(&theirs);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_of_the_given_authority_is_trusted),
        cmocka_unit_test(test_a_server_of_another_authority_is_not),
        cmocka_unit_test(test_the_systems_authorities_do_not_know_ours),
        cmocka_unit_test(test_a_certificate_for_another_host_is_refused),
        cmocka_unit_test(test_an_expired_certificate_is_refused),
        cmocka_unit_test(test_an_old_version_of_tls_is_refused),
        cmocka_unit_test(test_a_bundle_that_is_not_there_is_an_error),
        cmocka_unit_test(test_a_server_without_tls_is_an_error),
        cmocka_unit_test(test_a_reset_within_the_body_is_an_error),
        cmocka_unit_test(test_one_handshake_serves_many_requests),
    };

    return cmocka_run_group_tests_name("https", tests, make_authorities, forget_authorities);
}
