/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/error.h"

#include "postern/base/num.h"

#define CHALLENGE "AzureApiManagementKey realm=\"postern\",name=\"Ocp-Apim-Subscription-Key\",type=\"header\""

/* Azure's own words for the keys, to the letter: people search for them and SDKs match them. */
#define MISSING_KEY                                                                                          \
    "Access denied due to missing subscription key. Make sure to include subscription key when making "      \
    "requests to an API."
/* Azure's words again, as far as they are true. */
#define INVALID_KEY "Access denied due to invalid subscription key: "
#define WRONG_KEY                                                                                            \
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key " \
    "for an active subscription and use a correct regional API endpoint for your resource."

/* What pst_path_is_plain() asks for. */
#define PLAIN_PATH                                                                                           \
    "Send it without empty or dot segments, ';' and '\\', without %23, %25, %2F, %3B, %3F, %5C and escaped " \
    "control characters, and with valid UTF-8 only."

#define TRANSLATOR_UNAUTHORIZED "The request is not authorized because credentials are missing or invalid."

/* Seconds in Retry-After. A container that is not there is loading its model, which takes its time; a queue
 * that is full empties sooner. */
#define RETRY_SOON  1
#define RETRY_LATER 5

/* `close` stands where the bytes behind the head cannot be told apart from the next request, or are not worth
 * reading. */
static const struct pst_error_def defs[PST_ERROR_MAX] = {
    [PST_ERROR_KEY_MISSING] = {401, 0, false, "key_missing", "401", MISSING_KEY, CHALLENGE},
    [PST_ERROR_KEY_WRONG] = {401, 0, false, "key_wrong", "401", WRONG_KEY, CHALLENGE},
    [PST_ERROR_KEY_EXPIRED] = {401, 0, false, "key_expired", "401",
                               INVALID_KEY "it has expired, or was replaced by a newer one. Use a current "
                                           "key, or ask for this key's expiry to be extended.",
                               CHALLENGE},
    [PST_ERROR_KEY_NOT_YET] = {401, 0, false, "key_not_yet", "401",
                               INVALID_KEY "it is not valid yet. Use another key until it is.", CHALLENGE},
    [PST_ERROR_KEY_DISABLED] = {401, 0, false, "key_disabled", "401",
                                INVALID_KEY
                                "it has been disabled. Use another key, or ask an administrator to "
                                "enable it.",
                                CHALLENGE},
    [PST_ERROR_KEY_CONFLICT] = {400, 0, false, "key_conflict", "ConflictingKeys",
                                "The request carries two different keys. Send one key, in one place.", NULL},
    [PST_ERROR_KEY_OFF] = {403, 0, false, "key_off", "AuthenticationTypeDisabled",
                           "Key based authentication is disabled for this resource.", NULL},
    [PST_ERROR_KEY_SCOPE] = {403, 0, false, "key_scope", "403",
                             "Access denied: this key's scopes do not allow this method on this path. Use "
                             "another key, or ask an administrator to extend its scopes.",
                             NULL},
    [PST_ERROR_PATH_SPELLING] = {400, 0, false, "path_spelling", "BadRequest",
                                 "The path can be read in more than one way. " PLAIN_PATH, NULL},
    [PST_ERROR_KEY_SPELLING] =
        {403, 0, false, "key_spelling", "403",
         "Access denied: this key has scopes, and the path can be read in more than one way. " PLAIN_PATH,
         NULL},
    [PST_ERROR_KEY_NETWORK] = {403, 0, false, "key_network", "403",
                               "Access denied: this key may not be used from this address. Ask an "
                               "administrator to allow its network.",
                               NULL},

    [PST_ERROR_TOKEN_WRONG] = {401, 0, false, "token_wrong", "401",
                               "Unauthorized. Access token is missing, invalid, audience is incorrect "
                               "(https://cognitiveservices.azure.com), or have expired.",
                               "Bearer error=\"invalid_token\""},
    [PST_ERROR_TOKEN_DENIED] = {401, 0, false, "token_denied", "PermissionDenied",
                                "The principal of the access token lacks the required data action to perform "
                                "this operation.",
                                "Bearer error=\"insufficient_scope\""},
    [PST_ERROR_TOKEN_KEYS] =
        {503, RETRY_SOON, false, "token_keys", "ServiceUnavailable",
         "The signing keys of the access token's issuer are not available yet. Try again.", NULL},
    [PST_ERROR_CERTIFICATE_MISSING] =
        {403, 0, false, "certificate_missing", "ClientCertificateRequired",
         "This gateway requires a client certificate. Connect with one issued by a CA that it trusts.", NULL},
    [PST_ERROR_CERTIFICATE_WRONG] = {403, 0, false, "certificate_wrong", "ClientCertificateInvalid",
                                     "The client certificate is not valid here: it has expired, was revoked, "
                                     "was not issued by a trusted CA, or is not for client authentication.",
                                     NULL},
    [PST_ERROR_CERTIFICATE_DENIED] = {403, 0, false, "certificate_denied", "ClientCertificateNotApproved",
                                      "The client certificate is valid but not approved for this gateway. "
                                      "Ask an administrator to approve it (postern client-cert approve).",
                                      NULL},
    [PST_ERROR_NO_REDIRECT] =
        {404, 0, false, "no_redirect", "404",
         "Resource not found: this gateway does not redirect to another host. Connect to it directly.", NULL},

    [PST_ERROR_ORIGIN] = {403, 0, false, "origin", "OriginNotAllowed",
                          "Pages of this origin may not call this gateway from a browser. Ask an "
                          "administrator to add the origin to the setting cors_allow_origins.",
                          NULL},
    [PST_ERROR_JOB] = {404, 0, false, "job", "NotFound", "Resource not found.", NULL},

    [PST_ERROR_METHOD] = {501, 0, true, "method", "MethodNotImplemented",
                          "The request method is not supported. CONNECT and TRACE are not forwarded.", NULL},
    [PST_ERROR_TARGET] = {400, 0, true, "target", "InvalidUri",
                          "The request target contains a character that is not allowed. Percent-encode "
                          "spaces, control characters, '#', '\\' in the path, and everything outside ASCII.",
                          NULL},
    [PST_ERROR_TARGET_ESCAPE] = {400, 0, true, "target_escape", "InvalidUri",
                                 "The path contains an invalid percent-encoding. Follow every '%' with two "
                                 "hexadecimal digits, and write a literal '%' as %25; %00 is not allowed.",
                                 NULL},
    [PST_ERROR_QUERY_ESCAPE] =
        {400, 0, false, "query_escape", "InvalidUri",
         "The query may carry a credential here, and contains an invalid percent-encoding. Follow every '%' "
         "with two hexadecimal digits, and write a literal '%' as %25.",
         NULL},
    [PST_ERROR_TARGET_FORM] =
        {400, 0, true, "target_form", "InvalidUri",
         "The request target must be a path that begins with '/', or an http or https URL.", NULL},
    [PST_ERROR_TARGET_TOO_LONG] = {414, 0, true, "target_too_long", "UriTooLong",
                                   "The request target is too long. Send long input in the body.", NULL},
    [PST_ERROR_HEAD_TOO_LARGE] = {431, 0, true, "head_too_large", "RequestHeaderFieldsTooLarge",
                                  "The request head is too large. Send fewer or shorter header fields.",
                                  NULL},
    [PST_ERROR_HOST] =
        {400, 0, true, "host", "InvalidHost",
         "The Host header field is missing, repeated, or not a host name with an optional port.", NULL},
    [PST_ERROR_FIELD_NAME] = {400, 0, true, "field_name", "InvalidHeaderName",
                              "The name of a header field contains a character that is not allowed.", NULL},
    [PST_ERROR_FIELD_VALUE] = {400, 0, true, "field_value", "InvalidHeaderValue",
                               "The value of a header field contains a control character.", NULL},
    [PST_ERROR_HTTP_VERSION] = {505, 0, true, "http_version", "HttpVersionNotSupported",
                                "The HTTP version is not supported. Use HTTP/1.1.", NULL},
    [PST_ERROR_MALFORMED] = {400, 0, true, "malformed", "BadRequest",
                             "The request is not valid HTTP/1.1 and was not forwarded.", NULL},
    [PST_ERROR_LENGTH_AND_CHUNKED] =
        {400, 0, true, "length_and_chunked", "InvalidRequestFraming",
         "The request has both Content-Length and Transfer-Encoding. Send only one of them.", NULL},
    [PST_ERROR_LENGTH_REPEATED] = {400, 0, true, "length_repeated", "InvalidRequestFraming",
                                   "The request has more than one Content-Length. Send exactly one.", NULL},
    [PST_ERROR_LENGTH_VALUE] = {400, 0, true, "length_value", "InvalidRequestFraming",
                                "The value of Content-Length is not a decimal number, or is too large.",
                                NULL},
    [PST_ERROR_CODING_REPEATED] = {400, 0, true, "coding_repeated", "InvalidRequestFraming",
                                   "Transfer-Encoding must appear once and be exactly \"chunked\".", NULL},
    [PST_ERROR_CODING_UNKNOWN] = {501, 0, true, "coding_unknown", "TransferCodingNotImplemented",
                                  "The transfer coding is not supported. Only \"chunked\" is supported.",
                                  NULL},
    [PST_ERROR_CODING_HTTP10] =
        {400, 0, true, "coding_http10", "InvalidRequestFraming",
         "Transfer-Encoding is not allowed in HTTP/1.0. Use HTTP/1.1 or Content-Length.", NULL},
    [PST_ERROR_EXPECT] = {417, 0, true, "expect", "ExpectationFailed",
                          "The expectation is not supported. Only \"100-continue\" is supported.", NULL},

    [PST_ERROR_BODY_TOO_LARGE] = {413, 0, true, "body_too_large", "RequestBodyTooLarge",
                                  "The request body is larger than this gateway accepts.", NULL},
    [PST_ERROR_KEYLESS_BODY_TOO_LARGE] =
        {413, 0, true, "keyless_body_too_large", "RequestBodyTooLarge",
         "The request body is larger than this gateway accepts without a key. Send a key, or less.", NULL},
    [PST_ERROR_KEYLESS_BODY_TOO_SLOW] = {408, 0, true, "keyless_body_too_slow", "RequestTimeout",
                                         "The request body took longer than this gateway allows without a "
                                         "key. Send a key, or send it faster.",
                                         NULL},
    [PST_ERROR_BODY_MALFORMED] = {400, 0, true, "body_malformed", "InvalidRequestBody",
                                  "The chunked request body is malformed.", NULL},
    [PST_ERROR_REQUEST_TIMEOUT] = {408, 0, true, "request_timeout", "RequestTimeout",
                                   "The request did not arrive in time.", NULL},
    [PST_ERROR_BODY_TOO_SLOW] = {408, 0, true, "body_too_slow", "RequestTimeout",
                                 "The request body arrived too slowly.", NULL},

    [PST_ERROR_WEBSOCKET] = {400, 0, true, "websocket", "InvalidWebSocketHandshake",
                             "The WebSocket handshake is not valid. Send GET without a body, one "
                             "Sec-WebSocket-Key of 16 bytes in base64, and nothing more before the response.",
                             NULL},

    [PST_ERROR_WEBSOCKET_VERSION] = {426, 0, false, "websocket_version", "InvalidWebSocketHandshake",
                                     "The WebSocket version is not supported. Use version 13.", NULL},

    [PST_ERROR_TOO_MANY_CONNECTIONS] = {503, RETRY_SOON, true, "too_many_connections", "ServerBusy",
                                        "The gateway has too many connections open. Try again later.", NULL},
    [PST_ERROR_TOO_MANY_WEBSOCKETS] =
        {503, RETRY_LATER, false, "too_many_websockets", "ServerBusy",
         "The gateway has too many WebSockets open, in all or of this key. Try again later.", NULL},
    [PST_ERROR_UPSTREAM_BUSY] =
        {503, RETRY_SOON, false, "upstream_busy", "ServerBusy",
         "The service behind this gateway is busy with other requests. Try again later.", NULL},
    [PST_ERROR_UPSTREAM_SHARE] =
        {503, RETRY_SOON, false, "upstream_share", "ServerBusy",
         "Requests with this key, or those without a key, have their full share of the connections to the "
         "service behind this gateway in use. Wait for their responses, or send fewer requests at a time.",
         NULL},
    [PST_ERROR_UPSTREAM_REFUSED] =
        {503, RETRY_LATER, false, "upstream_refused", "ServiceUnavailable",
         "The service behind this gateway does not accept connections. It may still be "
         "starting. Try again later.",
         NULL},
    [PST_ERROR_UPSTREAM_UNRESOLVED] =
        {503, RETRY_LATER, false, "upstream_unresolved", "ServiceUnavailable",
         "The address of the service behind this gateway could not be found. Try again "
         "later, or check the gateway's upstream setting.",
         NULL},
    [PST_ERROR_UPSTREAM_RESET] =
        {502, 0, false, "upstream_reset", "BadGateway",
         "The service behind this gateway closed the connection before it responded.", NULL},
    [PST_ERROR_UPSTREAM_RUBBISH] = {502, 0, false, "upstream_malformed", "BadGateway",
                                    "The service behind this gateway sent a response that is not valid HTTP.",
                                    NULL},
    [PST_ERROR_UPSTREAM_CONNECT_TIMEOUT] = {504, 0, false, "upstream_connect_timeout", "GatewayTimeout",
                                            "Connecting to the service behind this gateway took too long.",
                                            NULL},
    [PST_ERROR_UPSTREAM_TIMEOUT] = {504, 0, false, "upstream_timeout", "GatewayTimeout",
                                    "The service behind this gateway did not respond in time.", NULL},
    [PST_ERROR_SHUTTING_DOWN] = {503, RETRY_SOON, true, "shutting_down", "ServiceUnavailable",
                                 "The gateway is shutting down. Try again.", NULL},
    [PST_ERROR_INTERNAL] = {500, 0, true, "internal", "InternalServerError",
                            "The gateway could not handle the request because of an internal error.", NULL},
};

const struct pst_error_def *pst_error_def(enum pst_error_id id)
{
    unsigned index = (unsigned)id;
    return &defs[index > PST_ERROR_NONE && index < PST_ERROR_MAX ? index : PST_ERROR_INTERNAL];
}

int pst_error_body_custom(struct pst_str code, struct pst_str message, struct pst_buf *out)
{
    pst_buf_add_str(out, PST_STR("{\"error\":{\"code\":\""));
    pst_buf_add_json(out, code);
    pst_buf_add_str(out, PST_STR("\",\"message\":\""));
    pst_buf_add_json(out, message);
    int err = pst_buf_add_str(out, PST_STR("\"}}"));
    return pst_buf_failed(out) ? (err < 0 ? err : -PST_ELIMIT) : 0;
}

int pst_error_body(enum pst_error_id id, struct pst_buf *out)
{
    const struct pst_error_def *def = pst_error_def(id);
    return pst_error_body_custom(pst_str_of(def->code), pst_str_of(def->message), out);
}

/* The Translator's codes are numbers of six digits that begin with the status (its reference, "Errors"). */
static bool is_translator(struct pst_str path)
{
    static const struct pst_str paths[] = {
        PST_STR("/translate"),          PST_STR("/transliterate"), PST_STR("/detect"),
        PST_STR("/breaksentence"),      PST_STR("/languages"),     PST_STR("/dictionary/lookup"),
        PST_STR("/dictionary/examples")};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (pst_str_ieq(path, paths[i]))
            return true;
    }
    return false;
}

static int end_body(struct pst_buf *out, struct pst_str message, struct pst_str end)
{
    pst_buf_add_json(out, message);
    int err = pst_buf_add_str(out, end);
    return pst_buf_failed(out) ? (err < 0 ? err : -PST_ELIMIT) : 0;
}

int pst_error_body_as(enum pst_error_id id, const struct pst_error_style *style, struct pst_buf *out)
{
    const struct pst_error_def *def = pst_error_def(id);
    struct pst_str message = style->message.len > 0 ? style->message : pst_str_of(def->message);
    if (is_translator(style->path)) {
        pst_buf_printf(out, "{\"error\":{\"code\":%u000,\"message\":\"", def->status);
        return end_body(out, def->status == 401 ? PST_STR(TRANSLATOR_UNAUTHORIZED) : message,
                        PST_STR("\"}}"));
    }
    if (!style->flat)
        return pst_error_body_custom(pst_str_of(def->code), message, out);
    pst_buf_printf(out, "{\"statusCode\":%u,\"message\":\"", def->status);
    return end_body(out, message, PST_STR("\"}"));
}

static void add(struct pst_error_fields *ret, struct pst_str name, struct pst_str value)
{
    ret->storage[ret->fields.n++] = (struct pst_field){name, value};
}

void pst_error_fields(enum pst_error_id id, struct pst_str request_id, struct pst_error_fields *ret)
{
    const struct pst_error_def *def = pst_error_def(id);
    pst_fields_init(&ret->fields, ret->storage, PST_ERROR_FIELDS_MAX);
    add(ret, PST_STR("Content-Type"), PST_STR("application/json"));
    add(ret, PST_STR("Cache-Control"), PST_STR("no-store"));
    if (request_id.len > 0) {
        add(ret, PST_STR("X-Request-Id"), request_id);
        add(ret, PST_STR("apim-request-id"), request_id);
    }
    if (def->www_authenticate != NULL)
        add(ret, PST_STR("WWW-Authenticate"), pst_str_of(def->www_authenticate));
    if (def->retry_after_s > 0) {
        char digits[PST_U64_TEXT_MAX];
        struct pst_str number = {digits, pst_u64_format(def->retry_after_s, digits)};
        size_t len = pst_str_clip(number, ret->retry_after, sizeof(ret->retry_after));
        add(ret, PST_STR("Retry-After"), (struct pst_str){ret->retry_after, len});
    }
    if (id == PST_ERROR_WEBSOCKET_VERSION) { /* RFC 9110 section 15.5.22, RFC 6455 section 4.4 */
        add(ret, PST_STR("Sec-WebSocket-Version"), PST_STR("13"));
        add(ret, PST_STR("Upgrade"), PST_STR("websocket"));
        add(ret, PST_STR("Connection"), PST_STR("Upgrade"));
    }
    if (def->close)
        add(ret, PST_STR("Connection"), PST_STR("close"));
}

enum pst_error_id pst_error_from_upstream(int err, bool connecting)
{
    switch (err < 0 ? -err : err) {
    case PST_EBUSY:
        return PST_ERROR_UPSTREAM_BUSY;
    case PST_ESHARE:
        return PST_ERROR_UPSTREAM_SHARE;
    case PST_EREFUSED:
    case PST_EACCES:
        return PST_ERROR_UPSTREAM_REFUSED;
    case PST_ENOENT:
        return PST_ERROR_UPSTREAM_UNRESOLVED;
    case PST_ETIMEOUT:
        return connecting ? PST_ERROR_UPSTREAM_CONNECT_TIMEOUT : PST_ERROR_UPSTREAM_TIMEOUT;
    case PST_ECLOSED:
    case PST_ERESET:
        return connecting ? PST_ERROR_UPSTREAM_REFUSED : PST_ERROR_UPSTREAM_RESET;
    case PST_EPROTO:
    case PST_ELIMIT:
        return PST_ERROR_UPSTREAM_RUBBISH;
    default:
        return PST_ERROR_INTERNAL;
    }
}
