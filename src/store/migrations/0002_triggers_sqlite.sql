-- SQLite's part of migration 2.
-- Who has which addresses concerns every host that has a rule which names the group, so it is logged once, for all:
-- kind 'member' with GROUP/PORT as entity, kind 'address' with ADDRESS GROUP/ENTRY. A group that no rule names has no
-- such entries; the first rule to name it is logged as 'members' or 'addresses': read them all.

CREATE TRIGGER ports_inserted_member AFTER INSERT ON ports BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = NEW.id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER ports_updated_member AFTER UPDATE ON ports
    WHEN OLD.id IS NOT NEW.id OR OLD.mac IS NOT NEW.mac BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = OLD.id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = NEW.id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER ports_deleted_member AFTER DELETE ON ports BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = OLD.id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER ports_replacing_member BEFORE INSERT ON ports BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update'
        FROM ports p JOIN port_security_groups g ON g.port_id = p.id
        WHERE (p.id = NEW.id OR (p.network_id = NEW.network_id AND p.mac = NEW.mac))
          AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER ports_replacing_id BEFORE UPDATE OF id ON ports BEGIN
    INSERT INTO changes (kind, entity_id, op, host)
        SELECT 'port', p.id, 'delete', coalesce(p.host, '') FROM ports p WHERE p.id = NEW.id AND p.id IS NOT OLD.id;
END;

CREATE TRIGGER ports_replacing_update_member BEFORE UPDATE OF id, network_id, mac ON ports BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update'
        FROM ports p JOIN port_security_groups g ON g.port_id = p.id
        WHERE (p.id = NEW.id OR (p.network_id = NEW.network_id AND p.mac = NEW.mac)) AND p.id IS NOT OLD.id
          AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER fixed_ips_inserted_member AFTER INSERT ON fixed_ips BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = NEW.port_id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER fixed_ips_updated_member AFTER UPDATE ON fixed_ips
    WHEN OLD.port_id IS NOT NEW.port_id
      OR OLD.ip IS NOT NEW.ip BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = OLD.port_id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = NEW.port_id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER fixed_ips_deleted_member AFTER DELETE ON fixed_ips BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = OLD.port_id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER address_pairs_inserted_member AFTER INSERT ON address_pairs BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = NEW.port_id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER address_pairs_updated_member AFTER UPDATE ON address_pairs
    WHEN OLD.port_id IS NOT NEW.port_id
      OR OLD.prefix IS NOT NEW.prefix
      OR OLD.mac IS NOT NEW.mac BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = OLD.port_id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = NEW.port_id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER address_pairs_deleted_member AFTER DELETE ON address_pairs BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update' FROM port_security_groups g
        WHERE g.port_id = OLD.port_id AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER fixed_ips_replacing_member BEFORE INSERT ON fixed_ips BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update'
        FROM fixed_ips f JOIN port_security_groups g ON g.port_id = f.port_id
        WHERE f.subnet_id = NEW.subnet_id AND f.ip = NEW.ip AND f.port_id IS NOT NEW.port_id
          AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER fixed_ips_replacing_update_member BEFORE UPDATE OF subnet_id, ip ON fixed_ips BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', g.group_id || '/' || g.port_id, 'update'
        FROM fixed_ips f JOIN port_security_groups g ON g.port_id = f.port_id
        WHERE f.subnet_id = NEW.subnet_id AND f.ip = NEW.ip AND f.port_id IS NOT NEW.port_id
          AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = g.group_id);
END;

CREATE TRIGGER port_security_groups_inserted_member AFTER INSERT ON port_security_groups BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', NEW.group_id || '/' || NEW.port_id, 'update'
        WHERE EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = NEW.group_id);
END;

CREATE TRIGGER port_security_groups_updated_member AFTER UPDATE ON port_security_groups
    WHEN OLD.port_id IS NOT NEW.port_id
      OR OLD.group_id IS NOT NEW.group_id BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', OLD.group_id || '/' || OLD.port_id, 'update'
        WHERE EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = OLD.group_id);
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', NEW.group_id || '/' || NEW.port_id, 'update'
        WHERE EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = NEW.group_id);
END;

CREATE TRIGGER port_security_groups_deleted_member AFTER DELETE ON port_security_groups BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'member', OLD.group_id || '/' || OLD.port_id, 'update'
        WHERE EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = OLD.group_id);
END;

CREATE TRIGGER address_group_entries_inserted AFTER INSERT ON address_group_entries BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'address', NEW.address_group_id || '/' || NEW.id, 'update'
        WHERE EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_address_group_id = NEW.address_group_id);
END;

CREATE TRIGGER address_group_entries_updated AFTER UPDATE ON address_group_entries
    WHEN OLD.id IS NOT NEW.id
      OR OLD.address_group_id IS NOT NEW.address_group_id
      OR OLD.prefix IS NOT NEW.prefix BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'address', OLD.address_group_id || '/' || OLD.id, 'update'
        WHERE EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_address_group_id = OLD.address_group_id);
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'address', NEW.address_group_id || '/' || NEW.id, 'update'
        WHERE EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_address_group_id = NEW.address_group_id);
END;

CREATE TRIGGER address_group_entries_deleted AFTER DELETE ON address_group_entries BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'address', OLD.address_group_id || '/' || OLD.id, 'update'
        WHERE EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_address_group_id = OLD.address_group_id);
END;

CREATE TRIGGER address_group_entries_replacing BEFORE INSERT ON address_group_entries BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'address', e.address_group_id || '/' || e.id, 'update' FROM address_group_entries e
        WHERE (e.id = NEW.id OR (e.address_group_id = NEW.address_group_id AND e.prefix = NEW.prefix))
          AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_address_group_id = e.address_group_id);
END;

CREATE TRIGGER address_group_entries_replacing_update BEFORE UPDATE ON address_group_entries BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'address', e.address_group_id || '/' || e.id, 'update' FROM address_group_entries e
        WHERE (e.id = NEW.id OR (e.address_group_id = NEW.address_group_id AND e.prefix = NEW.prefix))
          AND e.id IS NOT OLD.id
          AND EXISTS (SELECT 1 FROM security_group_rules r WHERE r.remote_address_group_id = e.address_group_id);
END;

-- An address group's name moves no packet; whether it is there at all decides whether a rule may name it.

CREATE TRIGGER address_groups_inserted AFTER INSERT ON address_groups BEGIN
    INSERT INTO changes (kind, entity_id, op) VALUES ('address_group', NEW.id, 'insert');
END;

CREATE TRIGGER address_groups_renamed AFTER UPDATE ON address_groups
    WHEN OLD.id IS NOT NEW.id BEGIN
    INSERT INTO changes (kind, entity_id, op) VALUES ('address_group', OLD.id, 'delete');
    INSERT INTO changes (kind, entity_id, op) VALUES ('address_group', NEW.id, 'insert');
END;

CREATE TRIGGER address_groups_deleted AFTER DELETE ON address_groups BEGIN
    INSERT INTO changes (kind, entity_id, op) VALUES ('address_group', OLD.id, 'delete');
END;

-- What migration 1 could not know, and rules that INSERT OR REPLACE removes without a delete trigger.

CREATE TRIGGER security_group_rules_updated_addresses AFTER UPDATE ON security_group_rules
    WHEN OLD.remote_address_group_id IS NOT NEW.remote_address_group_id BEGIN
    INSERT INTO changes (kind, entity_id, op) VALUES ('security_group', NEW.group_id, 'update');
END;

CREATE TRIGGER security_group_rules_replacing BEFORE INSERT ON security_group_rules BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'security_group', r.group_id, 'update' FROM security_group_rules r WHERE r.id = NEW.id;
END;

CREATE TRIGGER security_group_rules_replacing_update BEFORE UPDATE OF id ON security_group_rules BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'security_group', r.group_id, 'update' FROM security_group_rules r WHERE r.id = NEW.id AND r.id IS NOT OLD.id;
END;

-- The first rule that names a group.

CREATE TRIGGER security_group_rules_inserted_remote AFTER INSERT ON security_group_rules BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'members', NEW.remote_group_id, 'update' WHERE NEW.remote_group_id IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = NEW.remote_group_id AND r.id IS NOT NEW.id);
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'addresses', NEW.remote_address_group_id, 'update' WHERE NEW.remote_address_group_id IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM security_group_rules r WHERE r.remote_address_group_id = NEW.remote_address_group_id AND r.id IS NOT NEW.id);
END;

CREATE TRIGGER security_group_rules_updated_remote AFTER UPDATE ON security_group_rules
    WHEN OLD.remote_group_id IS NOT NEW.remote_group_id
      OR OLD.remote_address_group_id IS NOT NEW.remote_address_group_id BEGIN
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'members', NEW.remote_group_id, 'update' WHERE NEW.remote_group_id IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM security_group_rules r WHERE r.remote_group_id = NEW.remote_group_id AND r.id IS NOT NEW.id);
    INSERT INTO changes (kind, entity_id, op)
        SELECT 'addresses', NEW.remote_address_group_id, 'update' WHERE NEW.remote_address_group_id IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM security_group_rules r WHERE r.remote_address_group_id = NEW.remote_address_group_id AND r.id IS NOT NEW.id);
END;
