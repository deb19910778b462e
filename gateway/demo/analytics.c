/* SPDX-License-Identifier: Apache-2.0 */
/* POST /text/analytics/v3.1/languages and …/sentiment: JSON in, JSON out, in the shape of version 3.1
 * of Azure's Text Analytics. Offsets count code points. */
#include "routes.h"
#include "text.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MODEL_VERSION      "demo-lexicon-1"
#define DOCUMENT_CHARS_MAX 5120

typedef json_t *answer_document(const char *id, struct pst_str text);

struct batch {
    json_t *documents;
    json_t *errors;
    json_t *ids; /* those seen, as keys */
};

static double two_decimals(double x)
{
    return round(x * 100) / 100;
}

static void invalid_request(struct demo_conn *conn, const char *inner_code, const char *inner_message)
{
    struct pst_buf body;
    pst_buf_init(&body, 4096);
    pst_buf_printf(&body,
                   "{\"error\":{\"code\":\"InvalidRequest\",\"message\":\"Invalid Request.\",\"innererror\":"
                   "{\"code\":\"%s\",\"message\":\"%s\"}}}",
                   inner_code, inner_message);
    demo_conn_reply(conn, 400, "application/json; charset=utf-8", pst_buf_str(&body));
    pst_buf_done(&body);
}

static json_t *document_error(const char *id, const char *inner_code, const char *message)
{
    return json_pack("{s:s, s:{s:s, s:s, s:{s:s, s:s}}}", "id", id, "error", "code", "InvalidArgument",
                     "message", "Invalid document in request.", "innererror", "code", inner_code, "message",
                     message);
}

static json_t *scores_json(struct demo_scores scores)
{
    double positive = two_decimals(scores.positive);
    double negative = two_decimals(scores.negative);
    return json_pack("{s:f, s:f, s:f}", "positive", positive, "neutral",
                     two_decimals(1 - positive - negative), "negative", negative);
}

static json_t *language_document(const char *id, struct pst_str text)
{
    struct demo_detection found = demo_detect_language(text);
    const char *name = found.known ? demo_language_name(found.language) : "(Unknown)";
    const char *code = found.known ? demo_language_code(found.language) : "(Unknown)";
    return json_pack("{s:s, s:{s:s, s:s, s:f}, s:[]}", "id", id, "detectedLanguage", "name", name,
                     "iso6391Name", code, "confidenceScore", two_decimals(found.confidence), "warnings");
}

static enum demo_mood document_mood(const size_t counts[static 4], struct demo_scores mean)
{
    bool both = counts[DEMO_MOOD_POSITIVE] && counts[DEMO_MOOD_NEGATIVE];
    if (both || counts[DEMO_MOOD_MIXED])
        return DEMO_MOOD_MIXED;
    if (counts[DEMO_MOOD_POSITIVE])
        return DEMO_MOOD_POSITIVE;
    if (counts[DEMO_MOOD_NEGATIVE])
        return DEMO_MOOD_NEGATIVE;
    return demo_scores_mood(mean);
}

static json_t *sentence_json(struct pst_str text, struct pst_str sentence, struct demo_scores scores)
{
    struct pst_str before = {text.p, (size_t)(sentence.p - text.p)};
    return json_pack("{s:s, s:o, s:I, s:I, s:s%}", "sentiment", demo_mood_name(demo_scores_mood(scores)),
                     "confidenceScores", scores_json(scores), "offset", (json_int_t)demo_utf8_count(before),
                     "length", (json_int_t)demo_utf8_count(sentence), "text", sentence.p, sentence.len);
}

static json_t *sentiment_document(const char *id, struct pst_str text)
{
    json_t *sentences = json_array();
    struct demo_scores sum = {0};
    size_t counts[4] = {0};
    size_t n = 0;
    struct pst_str rest = text;
    for (struct pst_str s; (s = demo_sentence_cut(&rest)).len > 0; n++) {
        struct demo_scores scores = demo_sentence_scores(s);
        counts[demo_scores_mood(scores)]++;
        sum.positive += scores.positive;
        sum.neutral += scores.neutral;
        sum.negative += scores.negative;
        json_array_append_new(sentences, sentence_json(text, s, scores));
    }
    double count = n ? (double)n : 1;
    struct demo_scores mean = {sum.positive / count, sum.neutral / count, sum.negative / count};
    return json_pack("{s:s, s:s, s:o, s:o, s:[]}", "id", id, "sentiment",
                     demo_mood_name(document_mood(counts, mean)), "confidenceScores", scores_json(mean),
                     "sentences", sentences, "warnings");
}

/* Adds the answer or the error of one document. NULL, or what makes the whole request invalid. */
static const char *answer_one(struct batch *batch, json_t *document, answer_document *answer)
{
    const char *id = json_string_value(json_object_get(document, "id"));
    json_t *text = json_object_get(document, "text");
    if (!id || !*id)
        return "A document within the request has a missing or empty id.";
    if (json_object_get(batch->ids, id))
        return "Request contains duplicated Ids. Make sure each document has a unique Id.";
    json_object_set_new(batch->ids, id, json_true());
    struct pst_str s = {json_string_value(text), json_string_length(text)};
    if (s.len == 0)
        json_array_append_new(batch->errors,
                              document_error(id, "InvalidDocument", "Document text is empty."));
    else if (demo_utf8_count(s) > DOCUMENT_CHARS_MAX)
        json_array_append_new(
            batch->errors,
            document_error(id, "InvalidDocument",
                           "A document within the request was too large to be processed. Limit "
                           "document size to: 5120 text elements."));
    else
        json_array_append_new(batch->documents, answer(id, s));
    return NULL;
}

static void reply_batch(struct demo_conn *conn, struct batch *batch)
{
    json_t *root = json_pack("{s:O, s:O, s:s}", "documents", batch->documents, "errors", batch->errors,
                             "modelVersion", MODEL_VERSION);
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(4)) : NULL;
    json_decref(root);
    if (text)
        demo_conn_reply(conn, 200, "application/json; charset=utf-8", pst_str_of(text));
    else
        demo_conn_error(conn, 500, "InternalServerError", "The answer could not be made.");
    free(text);
}

static void answer_batch(struct demo_conn *conn, json_t *root, size_t documents_max, answer_document *answer)
{
    json_t *documents = json_object_get(root, "documents");
    if (!json_is_array(documents) || json_array_size(documents) == 0) {
        invalid_request(conn, "MissingInputRecords", "Missing input records.");
        return;
    }
    if (json_array_size(documents) > documents_max) {
        char message[128];
        snprintf(message, sizeof message,
                 "Batch request contains too many records. Max %zu records are permitted.", documents_max);
        invalid_request(conn, "InvalidDocumentBatch", message);
        return;
    }
    struct batch batch = {json_array(), json_array(), json_object()};
    const char *problem = NULL;
    for (size_t i = 0; i < json_array_size(documents) && !problem; i++)
        problem = answer_one(&batch, json_array_get(documents, i), answer);
    if (problem)
        invalid_request(conn, "InvalidDocument", problem);
    else
        reply_batch(conn, &batch);
    json_decref(batch.documents);
    json_decref(batch.errors);
    json_decref(batch.ids);
}

static void on_analytics(struct demo_conn *conn, size_t documents_max, answer_document *answer)
{
    struct pst_buf body;
    pst_buf_init(&body, DEMO_JSON_MAX);
    int r = demo_conn_read_all(conn, &body);
    json_error_t error;
    json_t *root = r < 0 ? NULL : json_loadb(pst_buf_front(&body), pst_buf_len(&body), 0, &error);
    if (r == -PST_ELIMIT)
        demo_conn_error(conn, 413, "InvalidRequest", "Request Payload sent is too large to be processed.");
    else if (r < 0)
        demo_conn_error(conn, 400, "InvalidRequest", "The body could not be read.");
    else if (!root)
        invalid_request(
            conn, "InvalidRequestBodyFormat",
            "Request body format is wrong. Make sure the json request is serialized correctly and there "
            "are no null members.");
    else
        answer_batch(conn, root, documents_max, answer);
    json_decref(root);
    pst_buf_done(&body);
}

void demo_on_languages(struct demo_conn *conn, const struct demo_request *request)
{
    (void)request;
    on_analytics(conn, 1000, language_document);
}

void demo_on_sentiment(struct demo_conn *conn, const struct demo_request *request)
{
    (void)request;
    on_analytics(conn, 10, sentiment_document);
}
