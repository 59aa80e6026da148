-- Security groups become usable: address groups, rules that name them, descriptions, and the group that new ports
-- join. Portable like migration 1. Ports that exist already stay in the groups they are in: none, unless somebody
-- wrote rows by hand.

CREATE TABLE address_groups (
    id          VARCHAR(36)  NOT NULL PRIMARY KEY,
    name        VARCHAR(255) NOT NULL DEFAULT '',
    description VARCHAR(255) NOT NULL DEFAULT '',
    created_at  BIGINT       NOT NULL DEFAULT (@now@)
);
CREATE INDEX address_groups_name ON address_groups (name);

-- A prefix, or an address for one of full length.
CREATE TABLE address_group_entries (
    id               VARCHAR(36) NOT NULL PRIMARY KEY,
    address_group_id VARCHAR(36) NOT NULL REFERENCES address_groups (id) ON DELETE CASCADE,
    prefix           VARCHAR(64) NOT NULL
);
CREATE UNIQUE INDEX address_group_entries_prefix ON address_group_entries (address_group_id, prefix);

-- is_default marks the group that a port joins for which nobody names one.
ALTER TABLE security_groups ADD COLUMN description VARCHAR(255) NOT NULL DEFAULT '';
ALTER TABLE security_groups ADD COLUMN is_default SMALLINT NOT NULL DEFAULT 0;
CREATE INDEX security_groups_name ON security_groups (name);

-- At most one of remote_prefix, remote_group_id and remote_address_group_id is set.
ALTER TABLE security_group_rules ADD COLUMN remote_address_group_id VARCHAR(36) REFERENCES address_groups (id);
ALTER TABLE security_group_rules ADD COLUMN description VARCHAR(255) NOT NULL DEFAULT '';
ALTER TABLE security_group_rules ADD COLUMN created_at BIGINT;
CREATE INDEX security_group_rules_addresses ON security_group_rules (remote_address_group_id);

-- What enforces security groups on the agent's host, as [securitygroup] firewall_driver names it; empty: not told.
ALTER TABLE agents ADD COLUMN firewall VARCHAR(32) NOT NULL DEFAULT '';
