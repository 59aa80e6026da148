-- SQLite's part of migration 1: what standard SQL has no portable words for.
-- Every change of a watched table is logged by a trigger, in the same transaction: SQL written by hand is followed
-- just as well as what `vifd db` writes.

-- One carrier belongs to one segment. NULLs are told apart by plain UNIQUE, so they are folded here; local segments
-- share nothing and are left out.
CREATE UNIQUE INDEX segments_carrier ON segments
    (network_type, coalesce(physical_network, ''), coalesce(segmentation_id, 0))
    WHERE network_type <> 'local';

CREATE TRIGGER networks_inserted AFTER INSERT ON networks BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('network', NEW.id, 'insert', NULL, NULL);
END;

CREATE TRIGGER networks_updated AFTER UPDATE ON networks
    WHEN OLD.name IS NOT NEW.name
      OR OLD.admin_up IS NOT NEW.admin_up
      OR OLD.mtu IS NOT NEW.mtu
      OR OLD.created_at IS NOT NEW.created_at BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('network', NEW.id, 'update', NULL, NULL);
END;

CREATE TRIGGER networks_renamed AFTER UPDATE ON networks
    WHEN OLD.id IS NOT NEW.id BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('network', OLD.id, 'delete', NULL, NULL);
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('network', NEW.id, 'insert', NULL, NULL);
END;

CREATE TRIGGER networks_deleted AFTER DELETE ON networks BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('network', OLD.id, 'delete', NULL, NULL);
END;

CREATE TRIGGER segments_inserted AFTER INSERT ON segments BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('network', NEW.network_id, 'update', NULL, NULL);
END;

CREATE TRIGGER segments_updated AFTER UPDATE ON segments
    WHEN OLD.id IS NOT NEW.id
      OR OLD.network_id IS NOT NEW.network_id
      OR OLD.network_type IS NOT NEW.network_type
      OR OLD.physical_network IS NOT NEW.physical_network
      OR OLD.segmentation_id IS NOT NEW.segmentation_id
      OR OLD.created_at IS NOT NEW.created_at BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('network', OLD.network_id, 'update', NULL, NULL);
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('network', NEW.network_id, 'update', NULL, NULL);
END;

CREATE TRIGGER segments_deleted AFTER DELETE ON segments BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('network', OLD.network_id, 'update', NULL, NULL);
END;

CREATE TRIGGER subnets_inserted AFTER INSERT ON subnets BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('subnet', NEW.id, 'insert', NULL, NULL);
END;

CREATE TRIGGER subnets_updated AFTER UPDATE ON subnets
    WHEN OLD.network_id IS NOT NEW.network_id
      OR OLD.name IS NOT NEW.name
      OR OLD.cidr IS NOT NEW.cidr
      OR OLD.gateway IS NOT NEW.gateway BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('subnet', NEW.id, 'update', NULL, NULL);
END;

CREATE TRIGGER subnets_renamed AFTER UPDATE ON subnets
    WHEN OLD.id IS NOT NEW.id BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('subnet', OLD.id, 'delete', NULL, NULL);
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('subnet', NEW.id, 'insert', NULL, NULL);
END;

CREATE TRIGGER subnets_deleted AFTER DELETE ON subnets BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('subnet', OLD.id, 'delete', NULL, NULL);
END;

CREATE TRIGGER ports_inserted AFTER INSERT ON ports BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('port', NEW.id, 'insert', coalesce(NEW.host, ''), NULL);
END;

CREATE TRIGGER ports_updated AFTER UPDATE ON ports
    WHEN OLD.network_id IS NOT NEW.network_id
      OR OLD.name IS NOT NEW.name
      OR OLD.mac IS NOT NEW.mac
      OR OLD.admin_up IS NOT NEW.admin_up
      OR OLD.host IS NOT NEW.host
      OR OLD.device_owner IS NOT NEW.device_owner
      OR OLD.port_security IS NOT NEW.port_security
      OR OLD.created_at IS NOT NEW.created_at BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('port', NEW.id, 'update', coalesce(NEW.host, ''), coalesce(OLD.host, ''));
END;

-- Status goes from a host to people: only the host it is bound to is told, so that agents do not wake each other.
-- The times of the timeline are not logged at all.

CREATE TRIGGER ports_status AFTER UPDATE ON ports
    WHEN OLD.status IS NOT NEW.status
      OR OLD.binding_error IS NOT NEW.binding_error BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('port', NEW.id, 'status', coalesce(NEW.host, ''), NULL);
END;

CREATE TRIGGER ports_renamed AFTER UPDATE ON ports
    WHEN OLD.id IS NOT NEW.id BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('port', OLD.id, 'delete', coalesce(OLD.host, ''), NULL);
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('port', NEW.id, 'insert', coalesce(NEW.host, ''), NULL);
END;

CREATE TRIGGER ports_deleted AFTER DELETE ON ports BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('port', OLD.id, 'delete', coalesce(OLD.host, ''), NULL);
END;

-- INSERT OR REPLACE and UPDATE OR REPLACE remove the rows in their way without a delete trigger: log them before they
-- go. Nothing is logged if there are none.

CREATE TRIGGER ports_replacing BEFORE INSERT ON ports BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'delete', coalesce(p.host, '') FROM ports p
        WHERE p.id = NEW.id OR (p.network_id = NEW.network_id AND p.mac = NEW.mac);
END;

CREATE TRIGGER ports_replacing_update BEFORE UPDATE OF network_id, mac ON ports BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'delete', coalesce(p.host, '') FROM ports p
        WHERE p.network_id = NEW.network_id AND p.mac = NEW.mac AND p.id IS NOT NEW.id;
END;

CREATE TRIGGER segments_replacing BEFORE INSERT ON segments BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'network', s.network_id, 'update' FROM segments s
        WHERE s.network_type = NEW.network_type AND s.network_type <> 'local'
          AND coalesce(s.physical_network, '') = coalesce(NEW.physical_network, '')
          AND coalesce(s.segmentation_id, 0) = coalesce(NEW.segmentation_id, 0) AND s.id IS NOT NEW.id;
END;

CREATE TRIGGER segments_replacing_update BEFORE UPDATE OF network_type, physical_network, segmentation_id ON segments BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'network', s.network_id, 'update' FROM segments s
        WHERE s.network_type = NEW.network_type AND s.network_type <> 'local'
          AND coalesce(s.physical_network, '') = coalesce(NEW.physical_network, '')
          AND coalesce(s.segmentation_id, 0) = coalesce(NEW.segmentation_id, 0) AND s.id IS NOT NEW.id;
END;

CREATE TRIGGER fixed_ips_replacing BEFORE INSERT ON fixed_ips BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM fixed_ips f JOIN ports p ON p.id = f.port_id
        WHERE f.subnet_id = NEW.subnet_id AND f.ip = NEW.ip AND f.port_id IS NOT NEW.port_id;
END;

CREATE TRIGGER fixed_ips_replacing_update BEFORE UPDATE OF subnet_id, ip ON fixed_ips BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM fixed_ips f JOIN ports p ON p.id = f.port_id
        WHERE f.subnet_id = NEW.subnet_id AND f.ip = NEW.ip AND f.port_id IS NOT NEW.port_id;
END;

CREATE TRIGGER tunnel_endpoints_replacing BEFORE INSERT ON tunnel_endpoints BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'endpoint', e.host, 'update' FROM tunnel_endpoints e
        WHERE e.tunnel_type = NEW.tunnel_type AND e.ip = NEW.ip AND e.host IS NOT NEW.host;
END;

CREATE TRIGGER tunnel_endpoints_replacing_update BEFORE UPDATE OF tunnel_type, ip ON tunnel_endpoints BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'endpoint', e.host, 'update' FROM tunnel_endpoints e
        WHERE e.tunnel_type = NEW.tunnel_type AND e.ip = NEW.ip AND e.host IS NOT NEW.host;
END;

CREATE TRIGGER fixed_ips_inserted AFTER INSERT ON fixed_ips BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = NEW.port_id;
END;

CREATE TRIGGER fixed_ips_updated AFTER UPDATE ON fixed_ips
    WHEN OLD.port_id IS NOT NEW.port_id
      OR OLD.subnet_id IS NOT NEW.subnet_id
      OR OLD.ip IS NOT NEW.ip BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = OLD.port_id;
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = NEW.port_id;
END;

CREATE TRIGGER fixed_ips_deleted AFTER DELETE ON fixed_ips BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = OLD.port_id;
END;

CREATE TRIGGER address_pairs_inserted AFTER INSERT ON address_pairs BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = NEW.port_id;
END;

CREATE TRIGGER address_pairs_updated AFTER UPDATE ON address_pairs
    WHEN OLD.port_id IS NOT NEW.port_id
      OR OLD.prefix IS NOT NEW.prefix
      OR OLD.mac IS NOT NEW.mac BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = OLD.port_id;
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = NEW.port_id;
END;

CREATE TRIGGER address_pairs_deleted AFTER DELETE ON address_pairs BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = OLD.port_id;
END;

CREATE TRIGGER port_security_groups_inserted AFTER INSERT ON port_security_groups BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = NEW.port_id;
END;

CREATE TRIGGER port_security_groups_updated AFTER UPDATE ON port_security_groups
    WHEN OLD.port_id IS NOT NEW.port_id
      OR OLD.group_id IS NOT NEW.group_id BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = OLD.port_id;
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = NEW.port_id;
END;

CREATE TRIGGER port_security_groups_deleted AFTER DELETE ON port_security_groups BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'update', coalesce(p.host, '') FROM ports p WHERE p.id = OLD.port_id;
END;

CREATE TRIGGER tunnel_endpoints_inserted AFTER INSERT ON tunnel_endpoints BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('endpoint', NEW.host, 'update', NULL, NULL);
END;

CREATE TRIGGER tunnel_endpoints_updated AFTER UPDATE ON tunnel_endpoints
    WHEN OLD.host IS NOT NEW.host
      OR OLD.tunnel_type IS NOT NEW.tunnel_type
      OR OLD.ip IS NOT NEW.ip BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('endpoint', OLD.host, 'update', NULL, NULL);
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('endpoint', NEW.host, 'update', NULL, NULL);
END;

CREATE TRIGGER tunnel_endpoints_deleted AFTER DELETE ON tunnel_endpoints BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('endpoint', OLD.host, 'update', NULL, NULL);
END;

CREATE TRIGGER security_groups_inserted AFTER INSERT ON security_groups BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('security_group', NEW.id, 'insert', NULL, NULL);
END;

CREATE TRIGGER security_groups_updated AFTER UPDATE ON security_groups
    WHEN OLD.name IS NOT NEW.name
      OR OLD.stateful IS NOT NEW.stateful BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('security_group', NEW.id, 'update', NULL, NULL);
END;

CREATE TRIGGER security_groups_renamed AFTER UPDATE ON security_groups
    WHEN OLD.id IS NOT NEW.id BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('security_group', OLD.id, 'delete', NULL, NULL);
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('security_group', NEW.id, 'insert', NULL, NULL);
END;

CREATE TRIGGER security_groups_deleted AFTER DELETE ON security_groups BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('security_group', OLD.id, 'delete', NULL, NULL);
END;

CREATE TRIGGER security_group_rules_inserted AFTER INSERT ON security_group_rules BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('security_group', NEW.group_id, 'update', NULL, NULL);
END;

CREATE TRIGGER security_group_rules_updated AFTER UPDATE ON security_group_rules
    WHEN OLD.id IS NOT NEW.id
      OR OLD.group_id IS NOT NEW.group_id
      OR OLD.direction IS NOT NEW.direction
      OR OLD.ethertype IS NOT NEW.ethertype
      OR OLD.protocol IS NOT NEW.protocol
      OR OLD.port_min IS NOT NEW.port_min
      OR OLD.port_max IS NOT NEW.port_max
      OR OLD.remote_prefix IS NOT NEW.remote_prefix
      OR OLD.remote_group_id IS NOT NEW.remote_group_id BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('security_group', OLD.group_id, 'update', NULL, NULL);
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('security_group', NEW.group_id, 'update', NULL, NULL);
END;

CREATE TRIGGER security_group_rules_deleted AFTER DELETE ON security_group_rules BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('security_group', OLD.group_id, 'update', NULL, NULL);
END;

CREATE TRIGGER routers_inserted AFTER INSERT ON routers BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('router', NEW.id, 'insert', NULL, NULL);
END;

CREATE TRIGGER routers_updated AFTER UPDATE ON routers
    WHEN OLD.name IS NOT NEW.name
      OR OLD.admin_up IS NOT NEW.admin_up
      OR OLD.host IS NOT NEW.host
      OR OLD.external_network_id IS NOT NEW.external_network_id
      OR OLD.snat IS NOT NEW.snat BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('router', NEW.id, 'update', NULL, NULL);
END;

CREATE TRIGGER routers_renamed AFTER UPDATE ON routers
    WHEN OLD.id IS NOT NEW.id BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('router', OLD.id, 'delete', NULL, NULL);
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('router', NEW.id, 'insert', NULL, NULL);
END;

CREATE TRIGGER routers_deleted AFTER DELETE ON routers BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('router', OLD.id, 'delete', NULL, NULL);
END;

CREATE TRIGGER router_interfaces_inserted AFTER INSERT ON router_interfaces BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('router', NEW.router_id, 'update', NULL, NULL);
END;

CREATE TRIGGER router_interfaces_updated AFTER UPDATE ON router_interfaces
    WHEN OLD.port_id IS NOT NEW.port_id
      OR OLD.router_id IS NOT NEW.router_id
      OR OLD.subnet_id IS NOT NEW.subnet_id BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('router', OLD.router_id, 'update', NULL, NULL);
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('router', NEW.router_id, 'update', NULL, NULL);
END;

CREATE TRIGGER router_interfaces_deleted AFTER DELETE ON router_interfaces BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('router', OLD.router_id, 'update', NULL, NULL);
END;

CREATE TRIGGER floating_ips_inserted AFTER INSERT ON floating_ips BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('floating_ip', NEW.id, 'insert', NULL, NULL);
END;

CREATE TRIGGER floating_ips_updated AFTER UPDATE ON floating_ips
    WHEN OLD.network_id IS NOT NEW.network_id
      OR OLD.ip IS NOT NEW.ip
      OR OLD.port_id IS NOT NEW.port_id
      OR OLD.fixed_ip IS NOT NEW.fixed_ip
      OR OLD.router_id IS NOT NEW.router_id BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('floating_ip', NEW.id, 'update', NULL, NULL);
END;

CREATE TRIGGER floating_ips_renamed AFTER UPDATE ON floating_ips
    WHEN OLD.id IS NOT NEW.id BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('floating_ip', OLD.id, 'delete', NULL, NULL);
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('floating_ip', NEW.id, 'insert', NULL, NULL);
END;

CREATE TRIGGER floating_ips_deleted AFTER DELETE ON floating_ips BEGIN
    INSERT INTO changes (kind, entity_id, op, host, old_host)
        VALUES ('floating_ip', OLD.id, 'delete', NULL, NULL);
END;
