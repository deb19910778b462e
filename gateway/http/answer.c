/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/answer.h"

#include "names.h"

#include <llhttp.h>
#include <stdlib.h>

/* Enough for an ordinary answer, so that the steady state allocates nothing; what a larger one took above
 * KEEP is given back at the next answer. */
#define TEXT_FIRST   1024
#define TEXT_KEEP    (8 * 1024)
#define FIELDS_FIRST 32
#define FIELDS_KEEP  128

struct pst_answer_parser {
    llhttp_t llhttp;
    enum pst_answer_state state;
    unsigned flags;
    unsigned n_interim;
    size_t head_bytes; /* of this answer, interim heads included */
    uint64_t fed;      /* of this answer, whatever went through the parser */
    uint64_t fault_at;
    size_t overhead; /* bytes since the last body byte of a chunked body */
    bool after_cr;   /* the last byte of the head so far is a CR */
    bool has_head;
    int err; /* why a callback stopped llhttp; 0: llhttp's own finding */
    const char *fault;
    struct pst_answer answer;
    char *text; /* names, values and reason, one behind the other; slices point here */
    size_t text_len, text_cap;
    char *out; /* where chunk data goes, during pst_answer_feed_chunks() */
    size_t out_len;
};

static struct pst_answer_parser *parser_of(llhttp_t *llhttp)
{
    return llhttp->data;
}

static void set_fault(struct pst_answer_parser *parser, const char *fault)
{
    parser->state = PST_ANSWER_FAULT;
    parser->fault = fault;
}

/* Stops llhttp from within a callback. */
static int stop(struct pst_answer_parser *parser, int err, const char *fault)
{
    parser->err = err;
    set_fault(parser, fault);
    return -1;
}

static void rebase(struct pst_str *s, const char *from, const char *to)
{
    if (s->p != NULL)
        s->p = to + (s->p - from);
}

/* Makes room for `more` bytes of text; what points into it follows. */
static int grow_text(struct pst_answer_parser *parser, size_t more)
{
    size_t cap = parser->text_cap;
    while (cap - parser->text_len < more)
        cap *= 2;
    char *text = malloc(cap);
    if (text == NULL)
        return -PST_ENOMEM;
    memcpy(text, parser->text, parser->text_len);
    rebase(&parser->answer.reason, parser->text, text);
    for (size_t i = 0; i <= parser->answer.fields.n && i < parser->answer.fields.cap; i++) {
        rebase(&parser->answer.fields.at[i].name, parser->text, text);
        rebase(&parser->answer.fields.at[i].value, parser->text, text);
    }
    free(parser->text);
    parser->text = text;
    parser->text_cap = cap;
    return 0;
}

/* Appends a piece to the slice that is being read; it is the last one in the text. */
static int extend(struct pst_answer_parser *parser, struct pst_str *slice, const char *at, size_t len)
{
    if (parser->text_cap - parser->text_len < len && grow_text(parser, len) < 0)
        return stop(parser, -PST_ENOMEM, "no memory for the head");
    char *to = parser->text + parser->text_len;
    if (len > 0)
        memcpy(to, at, len);
    if (slice->p == NULL)
        slice->p = to;
    slice->len += len;
    parser->text_len += len;
    return 0;
}

static int on_status(llhttp_t *llhttp, const char *at, size_t len)
{
    struct pst_answer_parser *parser = parser_of(llhttp);
    return extend(parser, &parser->answer.reason, at, len);
}

/* The field being read lies behind the last whole one; there is always room for it. */
static struct pst_field *open_field(struct pst_answer_parser *parser)
{
    return &parser->answer.fields.at[parser->answer.fields.n];
}

/* Trailers of a chunked body come through the same callbacks; they are dropped. */
static int on_field(llhttp_t *llhttp, const char *at, size_t len)
{
    struct pst_answer_parser *parser = parser_of(llhttp);
    return parser->state != PST_ANSWER_HEAD ? 0 : extend(parser, &open_field(parser)->name, at, len);
}

static int on_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct pst_answer_parser *parser = parser_of(llhttp);
    return parser->state != PST_ANSWER_HEAD ? 0 : extend(parser, &open_field(parser)->value, at, len);
}

/* Ends a slice with a NUL that does not count. */
static int terminate(struct pst_answer_parser *parser, struct pst_str *slice)
{
    if (extend(parser, slice, "", 1) < 0)
        return -1;
    slice->len--;
    *slice = pst_str_trim(*slice);
    parser->text[(size_t)(slice->p - parser->text) + slice->len] = '\0';
    return 0;
}

static int on_status_complete(llhttp_t *llhttp)
{
    struct pst_answer_parser *parser = parser_of(llhttp);
    if (!http_all(parser->answer.reason, HTTP_VALUE))
        return stop(parser, -PST_EPROTO, "a control character in the reason phrase");
    return terminate(parser, &parser->answer.reason);
}

static int on_field_complete(llhttp_t *llhttp)
{
    struct pst_answer_parser *parser = parser_of(llhttp);
    return parser->state != PST_ANSWER_HEAD ? 0 : terminate(parser, &open_field(parser)->name);
}

static int on_value_complete(llhttp_t *llhttp)
{
    struct pst_answer_parser *parser = parser_of(llhttp);
    struct pst_fields *fields = &parser->answer.fields;
    if (parser->state != PST_ANSWER_HEAD)
        return 0;
    if (terminate(parser, &open_field(parser)->value) < 0)
        return -1;
    if (++fields->n > PST_ANSWER_FIELDS_MAX)
        return stop(parser, -PST_ELIMIT, "too many fields");
    if (fields->n == fields->cap) {
        struct pst_field *at = realloc(fields->at, 2 * fields->cap * sizeof(*at));
        if (at == NULL)
            return stop(parser, -PST_ENOMEM, "no memory for the head");
        fields->at = at;
        fields->cap *= 2;
    }
    *open_field(parser) = (struct pst_field){.name = {NULL, 0}};
    return 0;
}

static bool is_plain_option(struct pst_str option)
{
    return pst_str_ieq(option, PST_STR("keep-alive")) || pst_str_ieq(option, PST_STR("close"));
}

static void read_connection(struct pst_answer *answer, struct pst_str list)
{
    struct pst_str option;
    while (pst_field_list_next(&list, &option)) {
        if (pst_str_ieq(option, PST_STR("close")))
            answer->keep_alive = false;
        else if (!is_plain_option(option))
            answer->names_hop_fields = true;
    }
}

struct framing_fields {
    size_t n_lengths, n_codings;
    struct pst_str coding;
    bool length_is_number;
};

static void gather(struct pst_answer *answer, struct framing_fields *ret)
{
    *ret = (struct framing_fields){.length_is_number = true};
    answer->keep_alive = !answer->http_1_0 ||
                         pst_fields_list_has(&answer->fields, PST_STR("connection"), PST_STR("keep-alive"));
    PST_FIELDS_EACH(field, &answer->fields)
    {
        switch (http_name_id(field->name)) {
        case NAME_CONTENT_LENGTH:
            ret->n_lengths++;
            ret->length_is_number = http_length(field->value, &answer->content_length);
            break;
        case NAME_TRANSFER_ENCODING:
            ret->n_codings++;
            ret->coding = field->value;
            break;
        case NAME_CONNECTION:
            read_connection(answer, field->value);
            break;
        default:
            break;
        }
    }
    answer->has_content_length = ret->n_lengths > 0;
}

/* RFC 9112 section 6.3, every doubt refused. NULL, or what is wrong. */
static const char *judge(struct pst_answer *answer, unsigned flags)
{
    struct framing_fields found;
    gather(answer, &found);
    if (found.n_lengths > 1)
        return "more than one Content-Length";
    if (!found.length_is_number)
        return "Content-Length is not a number";
    if (found.n_codings > 0 && found.n_lengths > 0)
        return "Content-Length beside Transfer-Encoding";
    if (found.n_codings > 0 && answer->http_1_0)
        return "Transfer-Encoding in HTTP/1.0";
    if (found.n_codings > 1 || (found.n_codings == 1 && !pst_str_ieq(found.coding, PST_STR("chunked"))))
        return "a transfer coding other than chunked";
    if (answer->upgraded)
        answer->framing.kind = PST_BODY_UNTIL_CLOSE;
    else if ((flags & PST_ANSWER_TO_HEAD) != 0 || answer->status == 204 || answer->status == 304)
        answer->framing.kind = PST_BODY_NONE;
    else if (found.n_codings > 0)
        answer->framing.kind = PST_BODY_CHUNKED;
    else if (found.n_lengths > 0)
        answer->framing = (struct pst_framing){PST_BODY_LENGTH, answer->content_length};
    else
        answer->framing.kind = PST_BODY_UNTIL_CLOSE;
    if (answer->framing.kind == PST_BODY_UNTIL_CLOSE)
        answer->keep_alive = false;
    return NULL;
}

static void enter_body(struct pst_answer_parser *parser)
{
    parser->has_head = true;
    switch (parser->answer.framing.kind) {
    case PST_BODY_CHUNKED:
        parser->state = PST_ANSWER_CHUNKS;
        break;
    case PST_BODY_UNTIL_CLOSE:
        parser->state = PST_ANSWER_RAW;
        break;
    default:
        parser->state = parser->answer.framing.length > 0 ? PST_ANSWER_RAW : PST_ANSWER_DONE;
    }
}

/* Always pauses: what comes behind a head is not llhttp's business unless it is chunked, and after an interim
 * answer it starts anew. */
static int on_headers_complete(llhttp_t *llhttp)
{
    struct pst_answer_parser *parser = parser_of(llhttp);
    struct pst_answer *answer = &parser->answer;
    int major = llhttp_get_http_major(llhttp);
    int minor = llhttp_get_http_minor(llhttp);
    answer->status = (uint16_t)llhttp_get_status_code(llhttp);
    if (major != 1 || (minor != 0 && minor != 1))
        return stop(parser, -PST_EPROTO, "a version other than HTTP/1.0 and HTTP/1.1");
    if (answer->status < 100)
        return stop(parser, -PST_EPROTO, "a status below 100");
    if (answer->status == 101) {
        if ((parser->flags & PST_ANSWER_MAY_UPGRADE) == 0)
            return stop(parser, -PST_EPROTO, "an upgrade that was not asked for");
        answer->upgraded = true;
    } else if (answer->status < 200) {
        if (++parser->n_interim > PST_ANSWER_INTERIM_MAX)
            return stop(parser, -PST_EPROTO, "too many interim (1xx) responses");
        return HPE_PAUSED;
    }
    answer->http_1_0 = minor == 0;
    const char *fault = judge(answer, parser->flags);
    if (fault != NULL)
        return stop(parser, -PST_EPROTO, fault);
    enter_body(parser);
    return HPE_PAUSED;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    struct pst_answer_parser *parser = parser_of(llhttp);
    /* Decoding in place: what is decoded never gets ahead of what is read. */
    memmove(parser->out + parser->out_len, at, len);
    parser->out_len += len;
    return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
    parser_of(llhttp)->state = PST_ANSWER_DONE;
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_status = on_status,
    .on_status_complete = on_status_complete,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* Forgets the head read so far and starts llhttp anew. */
static void begin_head(struct pst_answer_parser *parser)
{
    struct pst_fields fields = parser->answer.fields;
    fields.n = 0;
    parser->answer = (struct pst_answer){.fields = fields};
    *open_field(parser) = (struct pst_field){.name = {NULL, 0}};
    parser->text_len = 0;
    parser->has_head = false;
    parser->state = PST_ANSWER_HEAD;
    llhttp_init(&parser->llhttp, HTTP_RESPONSE, &callbacks);
    parser->llhttp.data = parser;
}

int pst_answer_parser_new(struct pst_answer_parser **ret_parser)
{
    struct pst_answer_parser *parser = calloc(1, sizeof(*parser));
    if (parser == NULL)
        return -PST_ENOMEM;
    parser->text = malloc(TEXT_FIRST);
    parser->text_cap = TEXT_FIRST;
    parser->answer.fields.at = calloc(FIELDS_FIRST, sizeof(struct pst_field));
    parser->answer.fields.cap = FIELDS_FIRST;
    if (parser->text == NULL || parser->answer.fields.at == NULL) {
        pst_answer_parser_free(parser);
        return -PST_ENOMEM;
    }
    pst_answer_begin(parser, 0);
    *ret_parser = parser;
    return 0;
}

void pst_answer_parser_free(struct pst_answer_parser *parser)
{
    if (parser == NULL)
        return;
    free(parser->answer.fields.at);
    free(parser->text);
    free(parser);
}

/* Shrinking that fails leaves the larger memory. */
static void shrink(struct pst_answer_parser *parser)
{
    struct pst_fields *fields = &parser->answer.fields;
    if (parser->text_cap > TEXT_KEEP) {
        char *text = realloc(parser->text, TEXT_FIRST);
        if (text != NULL) {
            parser->text = text;
            parser->text_cap = TEXT_FIRST;
        }
    }
    if (fields->cap > FIELDS_KEEP) {
        struct pst_field *at = realloc(fields->at, FIELDS_FIRST * sizeof(*at));
        if (at != NULL) {
            fields->at = at;
            fields->cap = FIELDS_FIRST;
        }
    }
}

void pst_answer_begin(struct pst_answer_parser *parser, unsigned flags)
{
    shrink(parser);
    begin_head(parser);
    parser->flags = flags;
    parser->n_interim = 0;
    parser->head_bytes = 0;
    parser->after_cr = false;
    parser->overhead = 0;
    parser->fed = parser->fault_at = 0;
    parser->err = 0;
    parser->fault = "";
}

/* What llhttp_execute() said: 0 when it may go on or paused, else the error; *ret_taken of `len` bytes. */
static int execute(struct pst_answer_parser *parser, const char *data, size_t len, size_t *ret_taken)
{
    llhttp_errno_t result = llhttp_execute(&parser->llhttp, data, len);
    if (result == HPE_OK) {
        *ret_taken = len;
        parser->fed += len;
        return 0;
    }
    const char *at = llhttp_get_error_pos(&parser->llhttp);
    if (result == HPE_PAUSED) {
        *ret_taken = (size_t)(at - data);
        parser->fed += *ret_taken;
        llhttp_resume(&parser->llhttp);
        return 0;
    }
    if (parser->err == 0) {
        set_fault(parser, llhttp_get_error_reason(&parser->llhttp));
        parser->fault_at = at != NULL ? parser->fed + (uint64_t)(at - data) + 1 : 0;
    }
    return parser->err != 0 ? parser->err : -PST_EPROTO;
}

/* llhttp takes a CR for a line's end in some places, and for text in others. What follows one that is not
 * followed by a LF (RFC 9112 section 2.2), or NULL. */
static const char *find_bare_cr(struct pst_answer_parser *parser, const char *data, size_t len)
{
    const char *at = data, *end = data + len;
    if (len == 0)
        return NULL;
    if (parser->after_cr && *at != '\n')
        return at;
    while ((at = memchr(at, '\r', (size_t)(end - at))) != NULL && ++at < end) {
        if (*at != '\n')
            return at;
    }
    parser->after_cr = at != NULL;
    return NULL;
}

ssize_t pst_answer_feed_head(struct pst_answer_parser *parser, const char *data, size_t len)
{
    size_t total = 0;
    while (parser->state == PST_ANSWER_HEAD && total < len) {
        size_t room = PST_ANSWER_HEAD_MAX - parser->head_bytes;
        if (room == 0) {
            set_fault(parser, "the head is too large");
            return -PST_ELIMIT;
        }
        size_t piece = len - total < room ? len - total : room;
        size_t taken = 0;
        unsigned n_interim = parser->n_interim;
        int err = execute(parser, data + total, piece, &taken);
        if (err < 0)
            return err;
        const char *behind_cr = find_bare_cr(parser, data + total, taken);
        if (behind_cr != NULL) {
            set_fault(parser, "a CR without a LF");
            parser->fault_at = parser->fed - taken + (uint64_t)(behind_cr - (data + total)) + 1;
            return -PST_EPROTO;
        }
        parser->head_bytes += taken;
        total += taken;
        if (parser->n_interim > n_interim)
            begin_head(parser);
    }
    return (ssize_t)total;
}

ssize_t pst_answer_feed_chunks(struct pst_answer_parser *parser, const char *data, size_t len, char *out,
                               size_t *ret_out_len)
{
    size_t taken = 0;
    parser->out = out;
    parser->out_len = 0;
    if (parser->state == PST_ANSWER_CHUNKS && len > 0) {
        int err = execute(parser, data, len, &taken);
        if (err < 0)
            return err;
    }
    parser->overhead = parser->out_len > 0 ? 0 : parser->overhead + taken;
    if (parser->overhead > PST_ANSWER_HEAD_MAX) {
        set_fault(parser, "too many chunk extensions or trailers");
        return -PST_ELIMIT;
    }
    *ret_out_len = parser->out_len;
    return (ssize_t)taken;
}

enum pst_answer_state pst_answer_state(const struct pst_answer_parser *parser)
{
    return parser->state;
}

const struct pst_answer *pst_answer_head(const struct pst_answer_parser *parser)
{
    return parser->has_head ? &parser->answer : NULL;
}

const char *pst_answer_fault(const struct pst_answer_parser *parser)
{
    return parser->fault;
}

uint64_t pst_answer_fault_at(const struct pst_answer_parser *parser)
{
    return parser->fault_at;
}

size_t pst_answer_parser_bytes(const struct pst_answer_parser *parser)
{
    return sizeof(*parser) + parser->text_cap + parser->answer.fields.cap * sizeof(struct pst_field);
}

bool pst_answer_field_forwards(const struct pst_answer *answer, struct pst_str name)
{
    enum name_id id = http_name_id(name);
    if (http_name_is_hop(id) || id == NAME_CONTENT_LENGTH || id == NAME_X_REQUEST_ID || id == NAME_ALT_SVC)
        return false;
    return !answer->names_hop_fields || !pst_fields_list_has(&answer->fields, PST_STR("connection"), name);
}

#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

const char *pst_http_parser_version(void)
{
    return TEXT_OF(LLHTTP_VERSION_MAJOR) "." TEXT_OF(LLHTTP_VERSION_MINOR) "." TEXT_OF(LLHTTP_VERSION_PATCH);
}
