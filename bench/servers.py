# SPDX-License-Identifier: Apache-2.0
"""The gateways that are compared. Each checks the key in Ocp-Apim-Subscription-Key, answers 401 without it, takes
it off, forwards over kept connections, and logs every request as JSON into a file. Where a server has a choice, it
gets what is fast: see docs/performance.md."""
import json
import os
import shutil
import socket
import subprocess

from procs import BenchError, Child, cpu_ns, memory_kib, run_for_output

CIPHER = "TLS_AES_128_GCM_SHA256"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Place:
    """What all servers of a run have in common."""

    def __init__(self, directory, certificate, certificate_key, upstream_port, cpus):
        self.directory = directory
        self.certificate = certificate
        self.certificate_key = certificate_key
        self.upstream_port = upstream_port
        self.cpus = cpus


class Server:
    name = ""
    program = ""

    def __init__(self, place):
        self.place = place
        self.key = "?"
        self.children = []
        self.directory = None
        self.port = None
        self.workers = 1
        self._pids = None
        self._starts = 0

    # What each server has of its own.
    def configure(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def environment(self):
        return None

    def version(self):
        raise NotImplementedError

    # The log is what the server writes to standard output, or a file that its configuration names.
    def log_path(self):
        return os.path.join(self.directory, "access.log")

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, mode)) as file:
            file.write(text)
        return self.path(name)

    def prepare(self, workers=1):
        """Makes a fresh directory with the configuration; nothing runs yet."""
        self._starts += 1
        self.workers = workers
        self.directory = os.path.join(self.place.directory, f"{self.name}-{self._starts}")
        os.mkdir(self.directory, 0o700)
        self.port = free_port()
        self.configure()

    def launch(self, cpus=None):
        """Starts it. The caller waits until it answers."""
        self.children = []
        for argv in self.command():
            with open(self.path("stdout"), "ab") as out:
                self.children.append(Child(argv, cpus or self.place.cpus, stdout=out, env=self.environment(),
                                           stderr=self.path("stderr")))
        self._pids = None

    def stop(self):
        for child in reversed(self.children):
            child.stop()
        self.children = []

    def discard(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def pids(self):
        """All its processes; they do not change once it answers requests."""
        if self._pids is None:
            self._pids = [pid for child in self.children for pid in child.pids()]
        return self._pids

    def cpu_ns(self):
        for child in self.children:
            if child.process.poll() is not None:
                raise BenchError(f"{self.name} ended by itself: {child.last_words()}")
        return cpu_ns(self.pids())

    def memory_kib(self):
        self._pids = None
        return memory_kib(self.pids())

    def log_lines(self):
        try:
            with open(self.log_path(), "rb") as file:
                return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))
        except FileNotFoundError:
            return 0

    def accounted(self):
        """Requests that the server says it has counted for the key; None when it counts nothing."""
        return None

    def last_log_line(self):
        with open(self.log_path(), "rb") as file:
            file.seek(max(os.path.getsize(self.log_path()) - 8192, 0))
            return file.read().splitlines()[-1].decode("utf-8", "replace")

    def environment_in_directory(self, **more):
        env = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "HOME": self.directory, "LANG": "C.UTF-8"}
        env.update({name: str(value) for name, value in more.items()})
        return env


class Postern(Server):
    """build/postern serve, configured by its environment alone."""
    name = "postern"

    def __init__(self, place, program):
        super().__init__(place)
        self.program = program

    def environment(self):
        return self.environment_in_directory(
            POSTERN_LISTEN=f"127.0.0.1:{self.port}", POSTERN_UPSTREAM=f"http://127.0.0.1:{self.place.upstream_port}",
            POSTERN_DATA_DIR=self.path("data"), POSTERN_TLS_CERTIFICATE=self.place.certificate,
            POSTERN_TLS_KEY=self.place.certificate_key, POSTERN_WORKERS=self.workers, POSTERN_ACCESS_LOG="json")

    def configure(self):
        os.mkdir(self.path("data"), 0o700)
        out, _ = run_for_output([self.program, "key", "create", "--name", "bench", "--json"], env=self.environment())
        self.key = json.loads(out)["key1"]

    def command(self):
        return [[self.program, "serve"]]

    def log_path(self):
        return self.path("stdout")

    def accounted(self):
        rows = json.loads(run_for_output([self.program, "usage", "--json"], env=self.environment())[0])
        return sum(row["requests"] for row in rows if row.get("name") == "bench")

    def version(self):
        return run_for_output([self.program, "version"])[0].splitlines()[0]


class Nginx(Server):
    program = "nginx"

    def version(self):
        return run_for_output([self.program, "-v"])[1].strip().replace("nginx version: ", "")

    def http(self, inside, workers, keys):
        """A whole configuration; `keys` is the map from key to its id."""
        user = "user root;" if os.geteuid() == 0 else ""
        return f"""
            daemon off; {user} worker_processes {workers}; pid {self.path('pid')}; error_log {self.path('error.log')} warn;
            worker_rlimit_nofile 16384;
            events {{ worker_connections 8192; }}
            http {{
                client_body_temp_path {self.path('body')}; proxy_temp_path {self.path('proxy')};
                fastcgi_temp_path {self.path('f')}; uwsgi_temp_path {self.path('u')}; scgi_temp_path {self.path('s')};
                access_log off; server_tokens off; keepalive_timeout 75s; keepalive_requests 1000000000;
                map_hash_bucket_size 256;
                {keys}
                {inside}
            }}"""

    def key_map(self):
        return f'map $http_ocp_apim_subscription_key $key_id {{ default ""; "{self.key}" bench; }}'

    def front(self, check, id_variable):
        """The TLS side; `check` is what stands before proxy_pass."""
        return f"""
            log_format json escape=json '{{"time":"$time_iso8601","client":"$remote_addr","key":"{id_variable}",'
                '"method":"$request_method","path":"$uri","status":$status,"in":$request_length,"out":$bytes_sent,'
                '"seconds":$request_time,"upstream":"$upstream_response_time","id":"$request_id"}}';
            upstream container {{
                server 127.0.0.1:{self.place.upstream_port};
                keepalive 256; keepalive_requests 1000000000;
            }}
            server {{
                listen 127.0.0.1:{self.port} ssl backlog=4096 reuseport;
                ssl_certificate {self.place.certificate}; ssl_certificate_key {self.place.certificate_key};
                ssl_protocols TLSv1.2 TLSv1.3;
                access_log {self.path('access.log')} json buffer=64k flush=1s;
                client_max_body_size 1g;
                location / {{
                    {check}
                    proxy_pass http://container;
                    proxy_http_version 1.1;
                    proxy_request_buffering off;
                    proxy_buffer_size 16k; proxy_buffers 8 32k; proxy_busy_buffers_size 64k; proxy_max_temp_file_size 0;
                    proxy_set_header Connection "";
                    proxy_set_header Ocp-Apim-Subscription-Key "";
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    proxy_set_header X-Forwarded-Proto https;
                }}
                {self.more_locations()}
            }}"""

    def more_locations(self):
        return ""


class NginxMap(Nginx):
    """The key in a static map of nginx's own."""
    name = "nginx-map"

    def configure(self):
        self.write("nginx.conf", self.http(self.front('if ($key_id = "") { return 401; }', "$key_id"), self.workers,
                                           self.key_map()))

    def command(self):
        return [[self.program, "-e", self.path("error.log"), "-c", self.path("nginx.conf")]]


class NginxAuth(Nginx):
    """auth_request to a key service, as one does it when keys change at run time. The service is another nginx, which
    answers from a map: less than any service with a database costs. Its CPU time counts."""
    name = "nginx-auth"

    def configure(self):
        self.service_port = free_port()
        front = f"upstream keys {{ server 127.0.0.1:{self.service_port}; keepalive 256; keepalive_requests 1000000000; }}"
        front += self.front("auth_request /_key; auth_request_set $key_id $upstream_http_x_key_id;", "$key_id")
        self.write("nginx.conf", self.http(front, self.workers, ""))
        os.mkdir(self.path("service"), 0o700)
        service = f"""server {{ listen 127.0.0.1:{self.service_port} backlog=4096; location / {{
            if ($key_id = "") {{ return 401; }} add_header X-Key-Id $key_id; return 204; }} }}"""
        text = self.http(service, self.workers, self.key_map()).replace(self.directory, self.path("service"))
        self.write("service.conf", text)

    def more_locations(self):
        return """location = /_key {
                    internal;
                    proxy_pass http://keys/;
                    proxy_http_version 1.1;
                    proxy_pass_request_body off;
                    proxy_set_header Content-Length "";
                    proxy_set_header Connection "";
                }"""

    def command(self):
        return [[self.program, "-e", self.path("service/error.log"), "-c", self.path("service.conf")],
                [self.program, "-e", self.path("error.log"), "-c", self.path("nginx.conf")]]


class Haproxy(Server):
    name = "haproxy"
    program = "haproxy"

    def version(self):
        return " ".join(run_for_output([self.program, "-v"])[0].split()[:3])

    def configure(self):
        with open(self.place.certificate, encoding="ascii") as crt, open(self.place.certificate_key, encoding="ascii") as key:
            self.write("both.pem", crt.read() + key.read(), 0o600)
        self.write("keys.map", f"{self.key} bench\n")
        self.write("haproxy.cfg", f"""
            global
                nbthread {self.workers}
                maxconn 8192
                log stdout len 2048 format raw local0 info
                ssl-default-bind-options ssl-min-ver TLSv1.2
            defaults
                mode http
                timeout connect 5s
                timeout client 75s
                timeout server 600s
                timeout http-keep-alive 75s
                timeout http-request 10s
                log global
                option forwardfor
                http-reuse always
            frontend door
                bind 127.0.0.1:{self.port} ssl crt {self.path('both.pem')} alpn http/1.1 backlog 4096
                unique-id-format %{{+X}}o%ci%cp%Ts%rt
                log-format '{{"time":"%t","client":"%ci","key":"%[var(txn.key_id)]","method":"%HM","path":"%HPO","status":%ST,"in":%U,"out":%B,"ms":%Ta,"upstream_ms":%Tr,"id":"%ID"}}'
                http-request set-var(txn.key_id) req.hdr(ocp-apim-subscription-key),map_str({self.path('keys.map')})
                http-request return status 401 unless {{ var(txn.key_id) -m found }}
                http-request del-header ocp-apim-subscription-key
                http-request set-header X-Forwarded-Proto https
                default_backend container
            backend container
                server one 127.0.0.1:{self.place.upstream_port} pool-max-conn -1
""")

    def command(self):
        return [[self.program, "-db", "-f", self.path("haproxy.cfg")]]

    def log_path(self):
        return self.path("stdout")


class Caddy(Server):
    name = "caddy"
    program = "caddy"

    def version(self):
        return "caddy " + run_for_output([self.program, "version"])[0].split()[0]

    def environment(self):
        return self.environment_in_directory(GOMAXPROCS=self.workers, XDG_DATA_HOME=self.path("data"),
                                             XDG_CONFIG_HOME=self.path("config"))

    def log_path(self):
        return self.path("stdout")

    def configure(self):
        self.write("Caddyfile", f"""{{
    admin off
    auto_https disable_redirects
    servers {{
        protocols h1
    }}
}}
https://:{self.port} {{
    bind 127.0.0.1
    tls {self.place.certificate} {self.place.certificate_key}
    log {{
        output stdout
        format json
    }}
    @known header Ocp-Apim-Subscription-Key {self.key}
    handle @known {{
        reverse_proxy 127.0.0.1:{self.place.upstream_port} {{
            header_up -Ocp-Apim-Subscription-Key
            transport http {{
                keepalive 75s
                keepalive_idle_conns 256
                keepalive_idle_conns_per_host 256
                compression off
            }}
        }}
    }}
    handle {{
        respond 401
    }}
}}
""")

    def command(self):
        return [[self.program, "run", "--adapter", "caddyfile", "--config", self.path("Caddyfile")]]


class Direct:
    """No gateway: the client talks to the container in plain text. Only latency is compared with it."""
    name = "direct"

    def __init__(self, place):
        self.port = place.upstream_port
        self.key = "none"

    def cpu_ns(self):
        return 0


PEERS = {server.name: server for server in (NginxMap, Haproxy, Caddy, NginxAuth)}


def make_certificate(directory):
    """A self-signed P-256 certificate for localhost, the same for all."""
    key, certificate = os.path.join(directory, "tls.key"), os.path.join(directory, "tls.crt")
    run_for_output(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", certificate, "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
    os.chmod(key, 0o600)
    return certificate, key
