-- Tables of the control plane. Portable: only VARCHAR, INTEGER, SMALLINT and BIGINT, standard constraints and
-- indexes. Two words are replaced per kind of database: @serial@ (a key that only grows) and @now@ (µs since the
-- Unix epoch). Truth values are 0 and 1. Ids are UUIDs in lower case with hyphens. Times are µs since the Unix epoch.

CREATE TABLE meta (
    name  VARCHAR(64)  NOT NULL PRIMARY KEY,
    value VARCHAR(255) NOT NULL
);

CREATE TABLE networks (
    id         VARCHAR(36)  NOT NULL PRIMARY KEY,
    name       VARCHAR(255) NOT NULL DEFAULT '',
    admin_up   SMALLINT     NOT NULL DEFAULT 1,
    mtu        INTEGER      NOT NULL DEFAULT 1500,
    created_at BIGINT       NOT NULL DEFAULT (@now@)
);
CREATE INDEX networks_name ON networks (name);

CREATE TABLE segments (
    id               VARCHAR(36) NOT NULL PRIMARY KEY,
    network_id       VARCHAR(36) NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    network_type     VARCHAR(16) NOT NULL,
    physical_network VARCHAR(64),
    segmentation_id  BIGINT,
    created_at       BIGINT      NOT NULL DEFAULT (@now@)
);
CREATE INDEX segments_network ON segments (network_id);

CREATE TABLE subnets (
    id         VARCHAR(36)  NOT NULL PRIMARY KEY,
    network_id VARCHAR(36)  NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    name       VARCHAR(255) NOT NULL DEFAULT '',
    cidr       VARCHAR(64)  NOT NULL,
    gateway    VARCHAR(45),
    created_at BIGINT       NOT NULL DEFAULT (@now@)
);
CREATE INDEX subnets_network ON subnets (network_id);
CREATE INDEX subnets_name ON subnets (name);

CREATE TABLE hosts (
    name       VARCHAR(255) NOT NULL PRIMARY KEY,
    created_at BIGINT       NOT NULL DEFAULT (@now@)
);

CREATE TABLE tunnel_endpoints (
    host        VARCHAR(255) NOT NULL REFERENCES hosts (name) ON DELETE CASCADE,
    tunnel_type VARCHAR(16)  NOT NULL,
    ip          VARCHAR(45)  NOT NULL,
    PRIMARY KEY (host, tunnel_type)
);
CREATE UNIQUE INDEX tunnel_endpoints_ip ON tunnel_endpoints (tunnel_type, ip);

-- The agent of a host as it last told. Alive: heartbeat_at is younger than three times heartbeat_every and
-- stopped_at is not set.
CREATE TABLE agents (
    host            VARCHAR(255) NOT NULL PRIMARY KEY REFERENCES hosts (name) ON DELETE CASCADE,
    instance        VARCHAR(36)  NOT NULL,
    boot_id         VARCHAR(64)  NOT NULL,
    version         VARCHAR(64)  NOT NULL DEFAULT '',
    started_at      BIGINT       NOT NULL,
    heartbeat_at    BIGINT       NOT NULL,
    heartbeat_every BIGINT       NOT NULL,
    stopped_at      BIGINT,
    vifs            BIGINT       NOT NULL DEFAULT 0,
    active          BIGINT       NOT NULL DEFAULT 0,
    blocked         BIGINT       NOT NULL DEFAULT 0
);

-- host has no foreign key: a port may be bound before its host was ever seen.
CREATE TABLE ports (
    id            VARCHAR(36)  NOT NULL PRIMARY KEY,
    network_id    VARCHAR(36)  NOT NULL REFERENCES networks (id),
    name          VARCHAR(255) NOT NULL DEFAULT '',
    mac           VARCHAR(17)  NOT NULL,
    admin_up      SMALLINT     NOT NULL DEFAULT 1,
    host          VARCHAR(255),
    device_owner  VARCHAR(255) NOT NULL DEFAULT '',
    port_security SMALLINT     NOT NULL DEFAULT 1,
    status        VARCHAR(16)  NOT NULL DEFAULT 'BUILD',
    binding_error VARCHAR(1024),
    created_at    BIGINT       NOT NULL DEFAULT (@now@),
    bound_at      BIGINT,
    seen_at       BIGINT,
    wired_at      BIGINT,
    active_at     BIGINT
);
CREATE UNIQUE INDEX ports_network_mac ON ports (network_id, mac);
CREATE INDEX ports_host ON ports (host);
CREATE INDEX ports_name ON ports (name);

CREATE TABLE fixed_ips (
    port_id   VARCHAR(36) NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
    subnet_id VARCHAR(36) NOT NULL REFERENCES subnets (id),
    ip        VARCHAR(45) NOT NULL,
    PRIMARY KEY (port_id, ip)
);
CREATE UNIQUE INDEX fixed_ips_subnet_ip ON fixed_ips (subnet_id, ip);

-- An empty mac stands for the port's own.
CREATE TABLE address_pairs (
    port_id VARCHAR(36) NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
    prefix  VARCHAR(64) NOT NULL,
    mac     VARCHAR(17) NOT NULL DEFAULT '',
    PRIMARY KEY (port_id, prefix, mac)
);

CREATE TABLE security_groups (
    id         VARCHAR(36)  NOT NULL PRIMARY KEY,
    name       VARCHAR(255) NOT NULL DEFAULT '',
    stateful   SMALLINT     NOT NULL DEFAULT 1,
    created_at BIGINT       NOT NULL DEFAULT (@now@)
);

CREATE TABLE security_group_rules (
    id              VARCHAR(36) NOT NULL PRIMARY KEY,
    group_id        VARCHAR(36) NOT NULL REFERENCES security_groups (id) ON DELETE CASCADE,
    direction       VARCHAR(8)  NOT NULL,
    ethertype       VARCHAR(8)  NOT NULL,
    protocol        VARCHAR(16),
    port_min        INTEGER,
    port_max        INTEGER,
    remote_prefix   VARCHAR(64),
    remote_group_id VARCHAR(36) REFERENCES security_groups (id)
);
CREATE INDEX security_group_rules_group ON security_group_rules (group_id);
CREATE INDEX security_group_rules_remote ON security_group_rules (remote_group_id);

CREATE TABLE port_security_groups (
    port_id  VARCHAR(36) NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
    group_id VARCHAR(36) NOT NULL REFERENCES security_groups (id),
    PRIMARY KEY (port_id, group_id)
);
CREATE INDEX port_security_groups_group ON port_security_groups (group_id);

CREATE TABLE routers (
    id                  VARCHAR(36)  NOT NULL PRIMARY KEY,
    name                VARCHAR(255) NOT NULL DEFAULT '',
    admin_up            SMALLINT     NOT NULL DEFAULT 1,
    host                VARCHAR(255),
    external_network_id VARCHAR(36) REFERENCES networks (id),
    snat                SMALLINT     NOT NULL DEFAULT 1,
    created_at          BIGINT       NOT NULL DEFAULT (@now@)
);
CREATE INDEX routers_external ON routers (external_network_id);

CREATE TABLE router_interfaces (
    port_id   VARCHAR(36) NOT NULL PRIMARY KEY REFERENCES ports (id) ON DELETE CASCADE,
    router_id VARCHAR(36) NOT NULL REFERENCES routers (id),
    subnet_id VARCHAR(36) NOT NULL REFERENCES subnets (id)
);
CREATE INDEX router_interfaces_router ON router_interfaces (router_id);
CREATE INDEX router_interfaces_subnet ON router_interfaces (subnet_id);

CREATE TABLE floating_ips (
    id         VARCHAR(36) NOT NULL PRIMARY KEY,
    network_id VARCHAR(36) NOT NULL REFERENCES networks (id),
    ip         VARCHAR(45) NOT NULL,
    port_id    VARCHAR(36) REFERENCES ports (id),
    fixed_ip   VARCHAR(45),
    router_id  VARCHAR(36) REFERENCES routers (id),
    status     VARCHAR(16) NOT NULL DEFAULT 'DOWN'
);
CREATE UNIQUE INDEX floating_ips_network_ip ON floating_ips (network_id, ip);
CREATE INDEX floating_ips_port ON floating_ips (port_id);
CREATE INDEX floating_ips_router ON floating_ips (router_id);

-- What changed, in the order of commits. host and old_host name the hosts that a change is for; NULL in host means
-- every host, an empty text none.
CREATE TABLE changes (
    revision  @serial@,
    kind      VARCHAR(24)  NOT NULL,
    entity_id VARCHAR(255) NOT NULL,
    op        VARCHAR(8)   NOT NULL,
    host      VARCHAR(255),
    old_host  VARCHAR(255),
    at        BIGINT       NOT NULL DEFAULT (@now@)
);
