"""The Python IDL as a reader: prints `ready` after the snapshot, `done` at the marker row."""
import json
import sys

import ovs.db.idl
import ovs.poller

remote, schema = sys.argv[1], json.load(open(sys.argv[2]))
helper = ovs.db.idl.SchemaHelper(schema_json=schema)
helper.register_all()
idl = ovs.db.idl.Idl(remote, helper)
seqno = idl.change_seqno
ready = False
while True:
    idl.run()
    if idl.change_seqno != seqno:
        seqno = idl.change_seqno
        if not ready:
            ready = True
            print("ready", flush=True)
        marker = [r for r in idl.tables["marker"].rows.values() if r.n == 1]
        if marker:
            print("done", flush=True)
            break
    poller = ovs.poller.Poller()
    idl.wait(poller)
    poller.block()
sys.stdin.readline()
ports = [p for r in idl.tables["item"].rows.values() for p in r.ofport]
print(len(idl.tables["item"].rows), sum(ports), flush=True)
