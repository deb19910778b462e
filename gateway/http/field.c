/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/field.h"

#include "names.h"

int pst_fields_add(struct pst_fields *fields, struct pst_str name, struct pst_str value)
{
    if (fields->n >= fields->cap)
        return -PST_ELIMIT;
    fields->at[fields->n++] = (struct pst_field){name, value};
    return 0;
}

const struct pst_field *pst_fields_next(const struct pst_fields *fields, struct pst_str name,
                                        const struct pst_field *after)
{
    for (size_t i = after != NULL ? (size_t)(after - fields->at) + 1 : 0; i < fields->n; i++) {
        if (pst_str_ieq(fields->at[i].name, name))
            return &fields->at[i];
    }
    return NULL;
}

const struct pst_field *pst_fields_find(const struct pst_fields *fields, struct pst_str name)
{
    return pst_fields_next(fields, name, NULL);
}

struct pst_str pst_fields_value(const struct pst_fields *fields, struct pst_str name)
{
    const struct pst_field *field = pst_fields_find(fields, name);
    return field != NULL ? field->value : PST_STR("");
}

/* Index behind the list element at the front: a comma that is not inside a quoted string, or the end. */
static size_t element_end(struct pst_str list)
{
    bool quoted = false;
    for (size_t i = 0; i < list.len; i++) {
        char c = list.p[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == ',' && !quoted)
            return i;
    }
    return list.len;
}

bool pst_field_list_next(struct pst_str *rest, struct pst_str *ret_element)
{
    while (rest->len > 0) {
        size_t end = element_end(*rest);
        struct pst_str element = pst_str_trim((struct pst_str){rest->p, end});
        *rest = pst_str_skip(*rest, end + 1);
        if (element.len > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

bool pst_fields_list_has(const struct pst_fields *fields, struct pst_str name, struct pst_str token)
{
    const struct pst_field *field = NULL;
    while ((field = pst_fields_next(fields, name, field)) != NULL) {
        struct pst_str rest = field->value;
        struct pst_str element;
        while (pst_field_list_next(&rest, &element)) {
            if (pst_str_ieq(element, token))
                return true;
        }
    }
    return false;
}

bool pst_http_is_token(struct pst_str s)
{
    return s.len > 0 && http_all(s, HTTP_TCHAR);
}

bool pst_http_is_field_value(struct pst_str s)
{
    return http_all(s, HTTP_VALUE);
}
