/* redis_tls.c -- the door to OpenSSL for connections: what is sent is sealed, what comes is opened, both in memory. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/redis_private.h"

struct redis_tls {
	SSL_CTX *ctx;
	SSL *ssl; /* of this connection; owns both BIOs */
	BIO *in, *out;
	char name[256]; /* the option name, or "" */
	bool no_verify;
};

/* Why OpenSSL refused; its list of errors is empty afterwards. */
static const char *reason(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text ? text : "no reason given";
}

static bool load(struct redis_tls *t, const struct redis_url *u, struct err *e)
{
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(t->ctx, u->no_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	if (u->ca[0] ? SSL_CTX_load_verify_locations(t->ctx, u->ca, NULL) != 1 : SSL_CTX_set_default_verify_paths(t->ctx) != 1)
		return err_set(
		        e, ERR_INVALID, "the certificates in %s cannot be read: %s", u->ca[0] ? u->ca : "the system's folder", reason());
	if (u->cert[0] && SSL_CTX_use_certificate_chain_file(t->ctx, u->cert) != 1)
		return err_set(e, ERR_INVALID, "the certificate in %s cannot be read: %s", u->cert, reason());
	if (u->key[0] && SSL_CTX_use_PrivateKey_file(t->ctx, u->key, SSL_FILETYPE_PEM) != 1)
		return err_set(e, ERR_INVALID, "the key in %s cannot be read, or does not belong to %s: %s", u->key, u->cert, reason());
	return true;
}

struct redis_tls *redis_tls_new(const struct redis_url *u, struct err *e)
{
	struct redis_tls *t = mem_new(sizeof(*t));

	ERR_clear_error();
	t->ctx = SSL_CTX_new(TLS_client_method());
	t->no_verify = u->no_verify;
	if (!t->ctx || !str_copy(t->name, sizeof(t->name), u->name))
		err_set(e, ERR_INTERNAL, "OpenSSL cannot begin: %s", reason());
	else if (load(t, u, e)) {
		if (u->no_verify)
			log_warn("verify=no: anybody on the way to Redis can read and change everything, and see its password");
		return t;
	}
	redis_tls_close(&t);
	return NULL;
}

void redis_tls_close(struct redis_tls **t)
{
	if (!*t)
		return;
	SSL_free((*t)->ssl);
	SSL_CTX_free((*t)->ctx);
	mem_free(t);
}

static bool is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* Whom we mean: for the other side (SNI) and for the certificate. */
static bool name_peer(SSL *ssl, const char *name)
{
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

bool redis_tls_begin(struct redis_tls *t, const char *host, struct err *e)
{
	const char *name = t->name[0] ? t->name : host;

	ERR_clear_error();
	SSL_free(t->ssl);
	t->ssl = SSL_new(t->ctx);
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (!t->ssl || !t->in || !t->out) {
		BIO_free(t->in);
		BIO_free(t->out);
		return err_set(e, ERR_INTERNAL, "OpenSSL cannot begin: %s", reason());
	}
	BIO_set_mem_eof_return(t->in, -1); /* nothing there is "not yet", not the end */
	SSL_set_bio(t->ssl, t->in, t->out);
	SSL_set_connect_state(t->ssl);
	return t->no_verify || !name[0] || name_peer(t->ssl, name) ||
	       err_set(e, ERR_INVALID, "%.100s cannot be the name in a certificate: %s", name, reason());
}

int redis_tls_shake(struct redis_tls *t, struct err *e)
{
	int done, why;
	long verdict;

	ERR_clear_error();
	done = SSL_do_handshake(t->ssl);
	if (done == 1)
		return 1;
	why = SSL_get_error(t->ssl, done);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return 0;
	verdict = SSL_get_verify_result(t->ssl);
	if (verdict != X509_V_OK && !t->no_verify)
		return err_fail(e, ERR_DENIED, "its certificate is not accepted: %s", X509_verify_cert_error_string(verdict));
	return err_fail(e, ERR_UNAVAILABLE, "no TLS with it: %s (does the server speak TLS on this port?)", reason());
}

void redis_tls_came(struct redis_tls *t, const void *data, size_t len)
{
	if (BIO_write(t->in, data, (int)len) != (int)len)
		log_error("OpenSSL has no memory"); /* the handshake or the next record will fail */
}

int redis_tls_open(struct redis_tls *t, void *data, size_t size)
{
	int n, why;

	ERR_clear_error();
	n = SSL_read(t->ssl, data, (int)size);
	if (n > 0)
		return n;
	why = SSL_get_error(t->ssl, n);
	ERR_clear_error();
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

bool redis_tls_seal(struct redis_tls *t, const void *data, size_t len)
{
	ERR_clear_error();
	return !len || SSL_write(t->ssl, data, (int)len) == (int)len;
}

void redis_tls_sealed(struct redis_tls *t, struct buf *out)
{
	char *data;
	long len = BIO_get_mem_data(t->out, &data);

	if (len <= 0)
		return;
	buf_add(out, data, (size_t)len);
	(void)BIO_reset(t->out);
}
