/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/framing.h"

#include "names.h"

/* What the fields say about framing, gathered before it is judged. */
struct found {
    size_t n_lengths;
    size_t n_codings;
    struct pst_str length;
    struct pst_str coding;
    struct pst_str expect;
    bool has_expect;
};

static struct found gather(const struct pst_fields *fields)
{
    struct found found = {.n_lengths = 0};
    PST_FIELDS_EACH(field, fields)
    {
        switch (http_name_id(field->name)) {
        case NAME_CONTENT_LENGTH:
            found.n_lengths++;
            found.length = field->value;
            break;
        case NAME_TRANSFER_ENCODING:
            found.n_codings++;
            found.coding = field->value;
            break;
        case NAME_EXPECT:
            found.has_expect = true;
            found.expect = field->value;
            break;
        default:
            break;
        }
    }
    return found;
}

/* A list in which "chunked" stands, but not alone, has it twice or not at its end; one in which it does not
 * stand is a coding nobody here decodes. */
static enum pst_error_id judge_coding(struct pst_str list)
{
    struct pst_str element;
    size_t n = 0;
    size_t n_chunked = 0;
    bool last_is_chunked = false;
    while (pst_field_list_next(&list, &element)) {
        n++;
        last_is_chunked = pst_str_ieq(element, PST_STR("chunked"));
        n_chunked += last_is_chunked;
    }
    if (n == 1 && n_chunked == 1)
        return PST_ERROR_NONE;
    return n == 0 || n_chunked > 1 || (n_chunked == 1 && !last_is_chunked) ? PST_ERROR_CODING_REPEATED
                                                                           : PST_ERROR_CODING_UNKNOWN;
}

static enum pst_error_id judge_length(const struct found *found, uint64_t *ret_length)
{
    if (found->n_lengths > 1 || pst_str_find(found->length, ',') >= 0)
        return PST_ERROR_LENGTH_REPEATED;
    return http_length(found->length, ret_length) ? PST_ERROR_NONE : PST_ERROR_LENGTH_VALUE;
}

enum pst_error_id pst_framing_of_request(const struct pst_fields *fields, bool http_1_0,
                                         struct pst_framing *ret_framing)
{
    struct found found = gather(fields);
    struct pst_framing framing = {.kind = PST_BODY_NONE};
    enum pst_error_id error = PST_ERROR_NONE;
    if (found.n_codings > 0) {
        if (found.n_lengths > 0)
            error = PST_ERROR_LENGTH_AND_CHUNKED;
        else if (http_1_0)
            error = PST_ERROR_CODING_HTTP10;
        else
            error = found.n_codings > 1 ? PST_ERROR_CODING_REPEATED : judge_coding(found.coding);
        framing.kind = PST_BODY_CHUNKED;
    } else if (found.n_lengths > 0) {
        error = judge_length(&found, &framing.length);
        framing.kind = PST_BODY_LENGTH;
    }
    if (error == PST_ERROR_NONE && found.has_expect && !http_1_0 &&
        !pst_str_ieq(found.expect, PST_STR("100-continue")))
        error = PST_ERROR_EXPECT;
    if (error == PST_ERROR_NONE)
        *ret_framing = framing;
    return error;
}

bool pst_request_expects_continue(const struct pst_fields *fields, bool http_1_0)
{
    return !http_1_0 && pst_str_ieq(pst_fields_value(fields, PST_STR("expect")), PST_STR("100-continue"));
}
