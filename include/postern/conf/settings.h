/* SPDX-License-Identifier: Apache-2.0 */
/* The settings: one table says each one's name, type, bounds, default and meaning, and everything else comes
 * from it: the parser of the file, the environment and the flags, the reference page and the sample file.
 *
 * Sources, a later one wins: built-in default, YAML file, environment POSTERN_<NAME>, flag --<name>.
 *
 * Loaded once at start-up by one thread, then read-only: any thread. The strings and lists live until
 * pst_settings_done(). */
#ifndef POSTERN_CONF_SETTINGS_H
#define POSTERN_CONF_SETTINGS_H

#include "postern/base/err.h"
#include "postern/base/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pst_setting_switch { PST_SETTING_OFF, PST_SETTING_ON };
enum pst_host_header { PST_HOST_UPSTREAM, PST_HOST_KEEP };
enum pst_setting_tls_profile { PST_PROFILE_INTERMEDIATE, PST_PROFILE_MODERN };
enum pst_setting_access_log { PST_ACCESS_LOG_JSON, PST_ACCESS_LOG_TEXT, PST_ACCESS_LOG_OFF };
enum pst_setting_egress_mode { PST_EGRESS_MODE_ENFORCE, PST_EGRESS_MODE_OBSERVE };
enum pst_setting_egress_sni { PST_EGRESS_SNI_MODE_OFF, PST_EGRESS_SNI_MODE_WARN, PST_EGRESS_SNI_MODE_REFUSE };
enum pst_setting_log_format { PST_LOG_FORMAT_TEXT, PST_LOG_FORMAT_JSON };

#define PST_SETTINGS_MAX 112

enum pst_setting_source { PST_FROM_DEFAULT, PST_FROM_FILE, PST_FROM_ENVIRONMENT, PST_FROM_FLAG };

/* Durations end in _ms, sizes in _bytes; in the table, the file and the environment they carry no such
 * ending ("10s", "32KiB"). What each means is in the table (settings_table.c) and in docs/settings.md. */
struct pst_settings {
    struct pst_addr *listen;
    size_t n_listen;
    char *upstream;
    char **admin_listen;
    size_t n_admin_listen;
    char **admin_hosts;
    size_t n_admin_hosts;
    char *admin_tls_certificate;
    char *admin_tls_key;
    char *admin_client_ca;
    char *admin_client_crl;
    char **admin_client_certificates;
    size_t n_admin_client_certificates;
    char *data_dir;
    char *tls_certificate;
    char *tls_key;
    char *tls_certificate_dir;
    uint64_t tls_profile; /* enum pst_setting_tls_profile */
    uint64_t tls_ticket_rotation_ms;
    uint64_t tls_handshake_timeout_ms;
    uint64_t tls_max_handshakes;
    char *ca_file;
    uint64_t workers;            /* resolved: never 0 */
    uint64_t client_certificate; /* enum pst_certificate_mode */
    char **client_certificate_listeners;
    size_t n_client_certificate_listeners;
    char *client_ca;
    char *client_crl;
    uint64_t client_crl_expired; /* 0: refuse, 1: accept */
    uint64_t client_certificate_depth;
    char **client_certificate_keys;
    size_t n_client_certificate_keys;
    uint64_t client_certificate_forward; /* enum pst_setting_switch */
    uint64_t credentials;                /* enum pst_front_credentials */
    uint64_t key_authentication;         /* enum pst_setting_switch */
    char **key_sources;
    size_t n_key_sources;
    char *key_query_parameter;
    char *region;
    uint64_t token_lifetime_ms;
    uint64_t token_key_period_ms;
    char **oidc_issuers;
    size_t n_oidc_issuers;
    char **oidc_keys;
    size_t n_oidc_keys;
    char *oidc_proxy;
    char **open_paths;
    size_t n_open_paths;
    uint64_t error_shape; /* 0: object, 1: flat */
    char **routes;
    size_t n_routes;
    uint64_t host_header; /* enum pst_host_header */
    char *public_url;
    char **upstream_names;
    size_t n_upstream_names;
    uint64_t job_ownership; /* enum pst_setting_switch */
    uint64_t job_lifetime_ms;
    uint64_t job_table_size;
    char **cors_allow_origins;
    size_t n_cors_allow_origins;
    char **cors_allow_methods;
    size_t n_cors_allow_methods;
    char **cors_allow_headers;
    size_t n_cors_allow_headers;
    char **cors_expose_headers;
    size_t n_cors_expose_headers;
    uint64_t cors_max_age_ms;
    uint64_t cors_allow_credentials; /* enum pst_setting_switch */
    struct pst_cidr *trusted_proxies;
    size_t n_trusted_proxies;
    uint64_t upstream_max_connections;
    uint64_t upstream_max_waiting;
    uint64_t upstream_key_share;
    uint64_t upstream_keyless_share;
    uint64_t upstream_wait_timeout_ms;
    uint64_t upstream_connect_timeout_ms;
    uint64_t upstream_idle_timeout_ms;
    uint64_t upstream_first_byte_timeout_ms;
    uint64_t upstream_read_timeout_ms;
    uint64_t client_head_timeout_ms;
    uint64_t client_idle_timeout_ms;
    uint64_t client_send_timeout_ms;
    uint64_t client_min_rate_bytes;
    uint64_t client_min_rate_grace_ms;
    uint64_t max_head_size_bytes;
    uint64_t max_headers;
    uint64_t max_target_size_bytes;
    uint64_t max_body_size_bytes;
    uint64_t keyless_max_body_size_bytes;
    uint64_t keyless_body_timeout_ms;
    uint64_t max_connections;
    uint64_t max_websockets;
    uint64_t websocket_refusal; /* enum pst_websocket_refusal */
    uint64_t websocket_idle_timeout_ms;
    uint64_t websocket_max_duration_ms;
    uint64_t websocket_usage_interval_ms;
    uint64_t usage_journal_records;
    uint64_t usage_retention_ms;
    uint64_t usage_rows_without_key;
    uint64_t usage_hourly_retention_ms;
    uint64_t usage_daily_retention_ms;
    uint64_t access_log; /* enum pst_setting_access_log */
    uint64_t log_format; /* enum pst_setting_log_format */
    uint64_t log_level;  /* enum pst_log_level */
    uint64_t shutdown_timeout_ms;
    struct pst_addr *egress_listen;
    size_t n_egress_listen;
    char **egress_allow;
    size_t n_egress_allow;
    char *egress_allow_file;
    struct pst_cidr *egress_allow_networks;
    size_t n_egress_allow_networks;
    char **egress_ports;
    size_t n_egress_ports;
    char **egress_resolve;
    size_t n_egress_resolve;
    uint64_t egress_mode; /* enum pst_setting_egress_mode */
    uint64_t egress_sni;  /* enum pst_setting_egress_sni */
    char *egress_parent;
    char *egress_parent_credentials_file;
    char *egress_credentials_file;
    uint64_t egress_connect_timeout_ms;
    uint64_t egress_idle_timeout_ms;
    uint64_t egress_max_duration_ms;
    uint64_t egress_max_tunnels;
    uint64_t egress_metering_silence_ms;

    bool listen_is_default;
    /* By the table's order: */
    char *texts[PST_SETTINGS_MAX];                     /* each value as it was written */
    enum pst_setting_source sources[PST_SETTINGS_MAX]; /* where it was written */
    unsigned lines[PST_SETTINGS_MAX];                  /* in the file, 0 when the value is not from there */
    bool bad[PST_SETTINGS_MAX]; /* what was written is wrong: the value is an earlier source's */
    char *config;               /* the settings file's path, NULL without one */
};

enum pst_setting_type {
    PST_SETTING_STRING,
    PST_SETTING_PATH,
    PST_SETTING_URL,
    PST_SETTING_INT,
    PST_SETTING_BYTES,
    PST_SETTING_DURATION,
    PST_SETTING_ENUM,
    PST_SETTING_STRINGS,   /* a list */
    PST_SETTING_ADDRESSES, /* a list of host:port */
    PST_SETTING_NETWORKS,  /* a list of networks */
};

enum pst_setting_file {
    PST_SETTING_NO_FILE,
    PST_SETTING_FILE,           /* others must not be able to write it */
    PST_SETTING_SECRET,         /* nor to read it */
    PST_SETTING_KEYS_DIRECTORY, /* of certificates; what ends in .key is a secret */
};

struct pst_setting_def {
    const char *name;
    enum pst_setting_type type;
    const char *group; /* heading that this setting and those behind it stand under; NULL: no new one */
    uint64_t min, max; /* of INT, BYTES (bytes) and DURATION (ms) */
    const char *default_text;   /* lists are separated by commas */
    const char *const *choices; /* of ENUM, ends with NULL */
    enum pst_setting_file
        file;               /* of PATH: a file that is given, and who must not be able to do what with it */
    const char *item_start; /* what each item of STRINGS begins with; NULL: anything */
    bool required;          /* may not be empty */
    bool reloadable;        /* takes effect without a restart */
    bool secret;            /* masked when shown */
    const char *help;       /* sentences, plain ASCII */
    size_t offset;          /* of the value in struct pst_settings */
    size_t count_offset;    /* of a list's length */
};

const struct pst_setting_def *pst_setting_defs(size_t *ret_n);
bool pst_setting_is_list(const struct pst_setting_def *def);
/* "number", "list of networks", "one of". */
const char *pst_setting_type_text(const struct pst_setting_def *def);
/* For programs: "string", "path", "url", "int", "bytes", "duration", "enum", "address", "network"; of a list,
 * its items' type. */
const char *pst_setting_type_name(const struct pst_setting_def *def);
/* What can be written: "number from 1 to 256", "duration (ms, s, m, h, d) from 100ms to 10m",
 * "one of json, text, off", "list of networks". Cut when `size` is too small. */
#define PST_SETTING_ALLOWED_SIZE 128
void pst_setting_allowed(const struct pst_setting_def *def, char *text, size_t size);
/* "default", "file", "environment", "flag". */
const char *pst_setting_source_text(enum pst_setting_source source);
/* POSTERN_MAX_HEADERS, --max-headers. */
#define PST_SETTING_NAME_SIZE 64
void pst_setting_variable(const struct pst_setting_def *def, char text[static PST_SETTING_NAME_SIZE]);
void pst_setting_flag_name(const struct pst_setting_def *def, char text[static PST_SETTING_NAME_SIZE]);

/* A flag as given: "listen" or "max-body-size", with its value. */
struct pst_setting_flag {
    const char *name;
    const char *value;
};

struct pst_settings_input {
    const char *config; /* path of the YAML file; NULL: none */
    const struct pst_setting_flag *flags;
    size_t n_flags;
    char **environment; /* as environ(7) */
};

/* `warning`: the settings can be used all the same. One sentence with its place in front:
 * "postern.yaml:12: workers: ...", "POSTERN_WORKERS: ...", "--workers: ...". */
typedef void pst_settings_problem_cb(void *arg, bool warning, const char *problem);

/* Fills `settings` from all sources and reports every problem, not only the first. 0, or -PST_EINVAL (nothing
 * is left to free then). */
int pst_settings_load(const struct pst_settings_input *input, pst_settings_problem_cb *problem, void *arg,
                      struct pst_settings *settings) PST_MUSTCHECK;
/* The same for one who wants to look further: `settings` can be used, and must be freed, also when there were
 * problems; where one was, `bad` is set. Returns how many (warnings are none), or -PST_ENOMEM. */
int pst_settings_collect(const struct pst_settings_input *input, pst_settings_problem_cb *problem, void *arg,
                         struct pst_settings *settings) PST_MUSTCHECK;
/* Frees what load or collect made. */
void pst_settings_done(struct pst_settings *settings);
/* The setting of that name, written with '_' or '-', any case; NULL when there is none. */
const struct pst_setting_def *pst_setting_find(const char *name);
/* The setting that a mistyped name was most likely meant to be, or NULL. */
const struct pst_setting_def *pst_setting_nearest(const char *name);

/* Where a setting got its value, as problems name it: "postern.yaml:12: workers", "POSTERN_WORKERS",
 * "--workers", or "workers" for a default. Cut when `size` is too small. */
#define PST_SETTING_PLACE_SIZE 512
void pst_setting_place(const struct pst_settings *settings, const struct pst_setting_def *def, char *text,
                       size_t size);
bool pst_setting_is_bad(const struct pst_settings *settings, const char *name);
/* The value as it was written; of a secret only whether there is one. */
const char *pst_setting_shown(const struct pst_settings *settings, const struct pst_setting_def *def);
enum pst_setting_source pst_setting_source(const struct pst_settings *settings,
                                           const struct pst_setting_def *def);

/* Looks at the files that are given by settings: calls `say` for each that this process may not read, or that
 * other users can write or, of a secret, read (base/access.h). What is missing is left to who loads it. */
struct pst_access_why;
typedef void pst_setting_file_cb(void *arg, const char *setting, const struct pst_access_why *why);
void pst_settings_check_files(const struct pst_settings *settings, pst_setting_file_cb *say, void *arg);

/* The reference page and the sample file, from the table. */
struct pst_buf;
void pst_settings_write_markdown(struct pst_buf *out);
void pst_settings_write_yaml(struct pst_buf *out);

/* CPUs that this process may use: affinity and its cgroups' quotas (v2 and v1), rounded up; at least 1. */
unsigned pst_conf_cpus(void);

#endif
