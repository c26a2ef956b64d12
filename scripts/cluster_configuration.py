"""The configuration of Patroni, PgBouncer and HAProxy that scripts/cluster writes."""

NODES = ("pg1", "pg2")
SERVERS = ("onemap1", "onemap2")


def patroni(cluster, node, bin_dir):
    """Synchronous mode: a commit is acknowledged when the standby has it too, and only a standby that has everything is
    promoted, so nothing acknowledged is lost. Without a standby the primary goes on alone, and is not replaced then."""
    number, ports, secret = node[-1], cluster["ports"], cluster["secrets"]
    return f"""\
scope: onemap
name: {node}
restapi:
  listen: 127.0.0.1:{ports["patroni" + number]}
  connect_address: 127.0.0.1:{ports["patroni" + number]}
etcd3:
  hosts: 127.0.0.1:{ports["etcd"]}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 5
    retry_timeout: 5
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters:
        max_connections: 100
        wal_keep_size: 256MB
  initdb:
    - encoding: UTF8
    - locale: C.UTF-8
    - data-checksums
postgresql:
  listen: 127.0.0.1:{ports[node]}
  connect_address: 127.0.0.1:{ports[node]}
  data_dir: {cluster["dir"]}/{node}/data
  bin_dir: {bin_dir}
  pgpass: {cluster["dir"]}/{node}/pgpass
  authentication:
    superuser:
      username: postgres
      password: {secret["postgres"]}
    replication:
      username: replicator
      password: {secret["replicator"]}
  parameters:
    unix_socket_directories: ""
    password_encryption: scram-sha-256
  basebackup:
    - checkpoint: fast
  pg_hba:
    - host replication replicator 127.0.0.1/32 scram-sha-256
    - host all all 127.0.0.1/32 scram-sha-256
"""


def pgbouncer(cluster):
    ports = cluster["ports"]
    return f"""\
[databases]
county = host=127.0.0.1 port={ports["primary"]}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {ports["pgbouncer"]}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {cluster["dir"]}/pgbouncer/userlist.txt
pool_mode = transaction
default_pool_size = 20
ignore_startup_parameters = extra_float_digits,options
server_login_retry = 1
server_connect_timeout = 3
query_wait_timeout = 5
"""


def haproxy(cluster):
    ports = cluster["ports"]
    nodes = "\n".join(
        f"    server {node} 127.0.0.1:{ports[node]} check port {ports['patroni' + node[-1]]}" for node in NODES)

    def database(name, check):
        return f"""\
listen {name}
    mode tcp
    bind 127.0.0.1:{ports[name]}
    timeout client 1h
    timeout server 1h
    option httpchk OPTIONS {check}
    http-check expect status 200
    default-server on-marked-down shutdown-sessions
{nodes}
"""

    servers = "\n".join(f"    server {server} 127.0.0.1:{ports[server]} check" for server in SERVERS)
    return f"""\
global
    maxconn 4000

defaults
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    default-server inter 1s fall 2 rise 1

# PostgreSQL: Patroni tells which server is the primary. A server that no longer is loses its connections.
{database("primary", "/primary")}
{database("standby", "/replica")}
# onemap: servers whose data is current. While there are none, because the database is away, all that run.
frontend onemap
    mode http
    bind 127.0.0.1:{ports["http"]}
    # Only what this proxy knows is passed on, not what the caller wrote there.
    http-request del-header Forwarded
    http-request del-header X-Forwarded-Prefix
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    # A read that a server began and did not answer is sent to another one; an edit is not.
    http-request disable-l7-retry unless METH_GET
    use_backend ready if {{ nbsrv(ready) ge 1 }}
    default_backend running

backend ready
    mode http
    balance leastconn
    option redispatch 1
    retry-on conn-failure empty-response
    option httpchk GET /health/ready
    http-check expect status 200
    # Uploaded files wait on the server that took them.
    use-server onemap1 if {{ path_beg /api/imports }}
{servers}

backend running
    mode http
    balance leastconn
    option redispatch 1
    retry-on conn-failure empty-response
    option httpchk GET /health/live
    http-check expect status 200
{servers}

frontend statistics
    mode http
    bind 127.0.0.1:{ports["statistics"]}
    stats enable
    stats uri /
    stats refresh 5s
    http-request use-service prometheus-exporter if {{ path /metrics }}
"""
