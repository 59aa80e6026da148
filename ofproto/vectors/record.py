#!/usr/bin/env python3
"""Records this crate's own vectors from real peers.

Two peers are asked: `ovs-ofctl`, whose flow mods are taken off the wire by a small listener that
plays switch, and `ovs-vswitchd` with the dummy datapath, whose answers and asynchronous messages
are taken off its management socket. Texts are what `ovs-ofctl ofp-print` makes of the bytes.
Everything runs in a temporary directory on unix sockets. Rewrites vectors/openflow/*.jsonl.

Needs: ovs-ofctl, ovs-vsctl, ovs-appctl, ovsdb-tool, ovsdb-server, ovs-vswitchd.
"""

import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "openflow"
NX = 0x2320


def run(*args, stdin=None, check=True):
    done = subprocess.run(args, input=stdin, capture_output=True, text=True, timeout=6)
    if check and done.returncode:
        raise SystemExit(f"{args[-1]}\n{done.stderr}")
    return done.stdout if done.returncode == 0 else done.stderr


PEER = "ovs-ofctl " + run("ovs-ofctl", "--version").split()[3]


def message(kind, body=b"", xid=1, version=1):
    return struct.pack("!BBHI", version, kind, 8 + len(body), xid) + body


def vendor(subtype, body=b"", xid=1):
    return message(4, struct.pack("!II", NX, subtype) + body, xid)


def stats(kind, body=b"", xid=1):
    return message(16, struct.pack("!HH", kind, 0) + body, xid)


def nx_stats(subtype, body=b"", xid=1):
    return stats(0xFFFF, struct.pack("!III", NX, subtype, 0) + body, xid)


class Stream:
    """Whole messages from a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""

    def next(self, timeout=2.0):
        self.sock.settimeout(timeout)
        try:
            while len(self.data) < 8 or len(self.data) < struct.unpack("!H", self.data[2:4])[0]:
                more = self.sock.recv(65536)
                if not more:
                    return None
                self.data += more
        except socket.timeout:
            return None
        length = struct.unpack("!H", self.data[2:4])[0]
        one, self.data = self.data[:length], self.data[length:]
        return one


def print_of(data, verbosity=2):
    more = ["-" + "m" * (verbosity - 2)] if verbosity > 2 else []
    return run("ovs-ofctl", *more, "ofp-print", data.hex(), check=False).strip("\n")


def refusal(text):
    """The error that the message itself is refused with, if it is."""
    found = re.search(r"\*\*\*decode error: (\w+)", text.split("\n")[0])
    return found.group(1) if found else None


def normal_xid(data):
    return data[:4] + bytes(4) + data[8:]


class Recorder:
    def __init__(self, name):
        self.path = OUT / f"{name}.jsonl"
        self.rows = []
        self.seen = set()

    def add(self, source, name, kind, data, **fields):
        key = (kind, data)
        if key in self.seen:
            return
        self.seen.add(key)
        n = sum(1 for r in self.rows if r["name"].rsplit("#", 1)[0] == name) + 1
        row = {"source": source, "name": f"{name}#{n}", "kind": kind, "hex": data.hex()}
        row.update({k: v for k, v in fields.items() if v is not None})
        self.rows.append(row)

    def save(self):
        with open(self.path, "w") as out:
            for row in self.rows:
                out.write(json.dumps(row) + "\n")
        print(f"{self.path.name}: {len(self.rows)}")


def capture_flow_mods(dir, lines, *options):
    """The flow mods that ovs-ofctl sends for each line."""
    path = os.path.join(dir, "fake.sock")
    got = []
    for line in lines:
        if os.path.exists(path):
            os.unlink(path)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(4)
        mods = []

        def serve():
            # One connection for the names of tables, another for the flow.
            while not mods:
                conn, _ = server.accept()
                talk(conn)

        def talk(conn):
            stream = Stream(conn)
            while (m := stream.next()) is not None:
                version, kind, xid = m[0], m[1], struct.unpack("!I", m[4:8])[0]
                new = version == 5
                if kind == 0:
                    conn.sendall(message(0, xid=xid, version=5 if "OpenFlow14" in options else 1))
                elif kind == 14 or kind == 4 and m[8:16] == struct.pack("!II", NX, 13):
                    mods.append(m)
                elif kind == (20 if new else 18):
                    conn.sendall(message(kind + 1, xid=xid, version=version))
                elif kind == (18 if new else 16):
                    conn.sendall(message(kind + 1, m[8:12] + bytes(4 if new else 0), xid, version))
                elif kind == 5:
                    conn.sendall(message(6, bytes(24), xid, version))
                elif kind == 7:
                    conn.sendall(message(8, struct.pack("!HH", 0, 0), xid, version))
            conn.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        run("ovs-ofctl", "--no-names", *options, "add-flow", "unix:" + path, line)
        thread.join(timeout=10)
        server.close()
        if len(mods) != 1:
            raise SystemExit(f"{line}: {len(mods)} flow mods")
        got.append(normal_xid(mods[0]))
    return got


def record_encodings(dir):
    rec = Recorder("encodings")
    lines = [l for l in (HERE / "flows.txt").read_text().splitlines() if l and l[0] != "#"]
    for options in (("-F", "nxm"), ("-F", "nxm+table_id")):
        for line, data in zip(lines, capture_flow_mods(dir, lines, *options)):
            table_id = options[1].endswith("id")
            if table_id and "table=" not in line:
                continue
            printed = print_of(data).split("): ", 1)
            rec.add(
                f"{PEER} {' '.join(options)} add-flow, off the wire", line, "flow-mod-encode",
                data, version="1.0", text=line, printed="NXT_FLOW_MOD: " + printed[1].strip(),
            )
    rec.save()


def record_of14(dir):
    rec = Recorder("bundles14")
    lines = [l for l in (HERE / "flows14.txt").read_text().splitlines() if l and l[0] != "#"]
    for line, data in zip(lines, capture_flow_mods(dir, lines, "-O", "OpenFlow14")):
        rec.add(f"{PEER} -O OpenFlow14 add-flow, off the wire", line, "flow-mod-14", data,
                version="1.4", text=line)
    rec.save()


class Switch:
    def __init__(self, dir):
        self.dir = dir
        db = os.path.join(dir, "conf.db")
        self.db = "unix:" + os.path.join(dir, "db.sock")
        run("ovsdb-tool", "create", db, "/usr/share/openvswitch/vswitch.ovsschema")
        self.children = [
            subprocess.Popen(
                ["ovsdb-server", db, "--remote=p" + self.db, "--unixctl=" + dir + "/db.ctl"],
                stderr=subprocess.DEVNULL,
            )
        ]
        time.sleep(0.5)
        self.env = dict(os.environ, OVS_RUNDIR=dir)
        self.children.append(
            subprocess.Popen(
                ["ovs-vswitchd", self.db, "--enable-dummy=override", "--disable-system",
                 "--unixctl=" + dir + "/vs.ctl"],
                env=self.env, stderr=subprocess.DEVNULL,
            )
        )
        time.sleep(0.5)
        self.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy",
                   "other-config:datapath-id=0000000000000001",
                   "other-config:hwaddr=aa:55:aa:55:00:01")
        for n in (1, 2):
            self.vsctl("add-port", "br0", f"p{n}", "--", "set", "interface", f"p{n}",
                       "type=dummy", f"ofport_request={n}")

    def vsctl(self, *args):
        run("ovs-vsctl", "--db=" + self.db, "--timeout=10", *args)

    def appctl(self, *args):
        return run("ovs-appctl", "-t", self.dir + "/vs.ctl", *args)

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(os.path.join(self.dir, "br0.mgmt"))
        stream = Stream(sock)
        sock.sendall(message(0))
        stream.next()
        return sock, stream

    def stop(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=10)


FRAME = (bytes.fromhex("0a0000000002" "0a0000000001" "0800" "4500002e00000000401166be"
                       "0a0000010a000002" "04d20035001a0000") + bytes(18))


def nx_flow_mod(match=b"", actions=b"", command=0, flags=0, table=0, xid=1, priority=32768):
    pad = bytes(-len(match) % 8)
    body = struct.pack("!QHHHHIHHH6x", 7, table << 8 | command, 0, 0, priority, 0xFFFFFFFF,
                       0xFFFF, flags, len(match))
    return vendor(13, body + match + pad + actions, xid)


def record_switch(dir):
    rec = Recorder("switch")
    source = "ovs-vswitchd " + run("ovs-vswitchd", "--version").split()[3] + ", off the wire"
    switch = Switch(dir)
    try:
        lines = (HERE / "flows.txt").read_text().splitlines()
        # ovs-ofctl refuses to print write_metadata in flow monitor updates.
        flows = [l for l in lines if l and l[0] != "#" and "write_metadata" not in l]
        for line in flows:
            # Some lines need a group or a mapped option; they are only for the encoder.
            run("ovs-ofctl", "-F", "nxm+table_id", "add-flow", os.path.join(dir, "br0.mgmt"), line,
                check=False)
        sock, stream = switch.connect()

        def ask(name, request, limit=40):
            sock.sendall(request + message(18, xid=0x7777))
            for _ in range(limit):
                reply = stream.next()
                if reply is None or reply[4:8] == struct.pack("!I", 0x7777):
                    return
                text = print_of(reply)
                if "***decode error" in text and text.startswith("OFPST_FLOW reply"):
                    # Open vSwitch 3.1 misplaces the padding of controller properties in standard
                    # flow dumps and cannot read its own reply.
                    continue
                rec.add(source, name, "message", reply, version="1.0", text=text,
                        expect_error=refusal(text))

        match40 = struct.pack("!I", 0x3820FF) + bytes(36)
        ask("features", message(5))
        ask("config", message(7))
        ask("echo", message(2, b"hello"))
        ask("setup", vendor(12, struct.pack("!I", 2)) + vendor(15, b"\1" + bytes(7)))
        ask("desc", stats(0))
        ask("flows, standard form", stats(1, match40 + b"\xff\0\xff\xff"))
        ask("aggregate, standard form", stats(2, match40 + b"\xff\0\xff\xff"))
        ask("tables", stats(3))
        ask("ports", stats(4, b"\xff\xff" + bytes(6)))
        ask("queues", stats(5, b"\xff\xfc\0\0\xff\xff\xff\xff"))
        ask("port descriptions", stats(13))
        ask("flows", nx_stats(0, b"\xff\xff\0\0\xff\0\0\0"))
        ask("aggregate", nx_stats(1, b"\xff\xff\0\0\xff\0\0\0"))
        ask("ipfix bridge", nx_stats(3))
        ask("ipfix flow", nx_stats(4))
        bucket = lambda n: struct.pack("!HHIHHHHHHI", 32, 8, n, 0, 8, n + 1, 0, 0, 8,
                                       (n + 1) << 16) + struct.pack("!HHI", 1, 8, n + 1)
        group = struct.pack("!HBBIHHI", 0, 1, 0, 77, 64, 0, 0xFFFFFFFF) + bucket(0) + bucket(1)
        ask("add group", vendor(31, group))
        ask("add group twice", vendor(31, group))
        ask("groups", nx_stats(7, struct.pack("!II", 0xFFFFFFFF, 0)))
        ask("group descriptions", nx_stats(8, struct.pack("!II", 0xFFFFFFFF, 0)))
        ask("group features", nx_stats(9))
        ask("role", vendor(10, struct.pack("!I", 0)))
        ask("bad role", vendor(10, struct.pack("!I", 9)))
        ask("queue config", message(20, b"\0\1\0\0"))
        tlv = lambda command, *maps: vendor(24, struct.pack("!H6x", command) + b"".join(maps))
        ask("map option", tlv(0, struct.pack("!HBBH2x", 0xFFFF, 1, 8, 0)))
        ask("map option twice", tlv(0, struct.pack("!HBBH2x", 0xFFFF, 1, 8, 0)))
        ask("option table", vendor(25))
        # Requests that are wrong in one way each.
        eth_ip = bytes.fromhex("000006020800")
        output = lambda port: struct.pack("!HHHH", 0, 8, port, 0)
        ask("unknown field", nx_flow_mod(bytes.fromhex("0001fe04") + bytes(4)))
        ask("missing prerequisite", nx_flow_mod(bytes.fromhex("000012020050")))
        ask("field twice", nx_flow_mod(eth_ip + eth_ip))
        ask("value outside mask", nx_flow_mod(bytes.fromhex("0001010800000001fffffffe")))
        ask("bad value", nx_flow_mod(eth_ip + bytes.fromhex("00000a0103")))
        ask("bad mask", nx_flow_mod(bytes.fromhex("000007040800f000")))
        ask("unknown action", nx_flow_mod(actions=bytes.fromhex("ffff00100000232003e7000000000000")))
        ask("bad port", nx_flow_mod(actions=output(0xFFFF)))
        ask("bad action length", nx_flow_mod(actions=bytes.fromhex("0000000c00010000") + bytes(8)))
        ask("inconsistent", nx_flow_mod(
            actions=bytes.fromhex("ffff0018000023200007001f000010040000000000000001")))
        ask("bad command", nx_flow_mod(command=9))
        ask("overlap", nx_flow_mod(eth_ip, priority=1) + nx_flow_mod(flags=2, priority=1))
        ask("unknown type", message(77))
        ask("unknown statistics", stats(77))
        ask("unknown vendor", message(4, bytes(8)))
        ask("unknown subtype", vendor(999))
        ask("short flow mod", message(14, bytes(10)))
        ask("conjunction with output", nx_flow_mod(
            actions=bytes.fromhex("ffff001000002320002200020000000a") + output(1)))
        # Asynchronous messages.
        monitor = struct.pack("!IHHHB5x", 5, 0x3F & ~32, 0xFFFF, 0, 0xFF)
        ask("flow monitor", nx_stats(2, monitor))
        ask("own change", nx_flow_mod(eth_ip, output(1), priority=9, xid=0x99))
        run("ovs-ofctl", "add-flow", os.path.join(dir, "br0.mgmt"), "priority=10,tcp,actions=output:2")
        run("ovs-ofctl", "del-flows", os.path.join(dir, "br0.mgmt"), "tcp")
        time.sleep(0.3)
        ask("foreign changes", b"")
        ask("cancel monitor", vendor(21, struct.pack("!I", 5)))
        ask("cancel unknown monitor", vendor(21, struct.pack("!I", 5)))
        everything = struct.pack("!IIIIII", *([0xFFFF] * 6))
        for name, form in (("standard", 0), ("nxm", 1), ("properties", 2)):
            ask("packet-in " + name, vendor(16, struct.pack("!I", form)) + vendor(19, everything))
            packet_out = struct.pack("!IHH", 0xFFFFFFFF, 1, 8) + struct.pack("!HHHH", 0, 8, 0xFFFD,
                                                                             0xFFFF) + FRAME
            ask("packet-in " + name, message(13, packet_out))
        paused = struct.pack("!HHIH6x", 0xFFFF, 32, NX, 37) + bytes.fromhex(
            "0003000761626300" "0004000400000000")
        ask("packet-in paused", message(13, struct.pack("!IHH", 0xFFFFFFFF, 1, 32) + paused + FRAME))
        for form in (2, 0):
            ask("set flow format", vendor(12, struct.pack("!I", form)))
            ask("flow removed", nx_flow_mod(eth_ip, output(1), flags=1, priority=77)
                + nx_flow_mod(eth_ip, command=4, priority=77))
        switch.vsctl("add-port", "br0", "p3", "--", "set", "interface", "p3", "type=dummy",
                     "ofport_request=3")
        time.sleep(0.3)
        ask("port status", b"")
        switch.vsctl("del-port", "br0", "p3")
        time.sleep(0.3)
        ask("port status", b"")
    finally:
        switch.stop()
    rec.save()


def record_requests():
    """Requests as ovs-ofctl prints them, so that text and bytes of both directions are held."""
    rec = Recorder("requests")
    source = f"composed from the protocol's tables, text by {PEER} ofp-print"

    def add(name, data, verbosity=2):
        text = print_of(data, verbosity)
        rec.add(source, name, "message", data, version="1.0", text=text,
                expect_error=refusal(text),
                verbosity=verbosity if verbosity != 2 else None)

    match40 = struct.pack("!I", 0x3820FF) + bytes(36)
    add("hello", message(0))
    add("features", message(5))
    add("config", message(7))
    add("set config", message(9, struct.pack("!HH", 0, 128)))
    add("barrier", message(18))
    add("desc", stats(0))
    add("flow", stats(1, match40 + b"\xff\0\xff\xff"))
    add("aggregate", stats(2, match40 + b"\3\0\0\5"))
    add("table", stats(3))
    add("port", stats(4, b"\0\5" + bytes(6)))
    add("queue", stats(5, b"\0\5\0\0\0\0\0\1"))
    add("port desc", stats(13))
    add("nx flow", nx_stats(0, b"\0\5\0\0\7\0\0\0"))
    add("nx flow by cookie", nx_stats(
        0, b"\xff\xff\0\x14\xff\0\0\0" + bytes.fromhex("00013d10000000000000abcd000000000000ffff")
        + bytes(4)))
    add("nx aggregate", nx_stats(1, b"\xff\xff\0\x06\xff\0\0\0" + bytes.fromhex("0000060208000000")))
    for n, name in ((3, "ipfix bridge"), (4, "ipfix flow"), (9, "group features")):
        add(name, nx_stats(n))
    for n, name in ((7, "group"), (8, "group desc")):
        add(name, nx_stats(n, struct.pack("!II", 5, 0)))
    add("flow monitor", nx_stats(2, struct.pack("!IHHHB5x", 5, 0x1F, 3, 6, 1)
                                 + bytes.fromhex("0000060208000000")))
    for n in (0, 1, 2):
        add("role", vendor(10, struct.pack("!I", n)))
        add("packet-in format", vendor(16, struct.pack("!I", n)))
    for n in (0, 2):
        add("flow format", vendor(12, struct.pack("!I", n)))
    for n in (0, 1):
        add("flow mod table id", vendor(15, bytes([n]) + bytes(7)))
    add("flow age", vendor(18))
    add("controller id", vendor(20, bytes(6) + b"\0\x7b"))
    add("controller id, not zero", vendor(20, b"\1" + bytes(5) + b"\0\x7b"))
    add("async config", vendor(19, struct.pack("!IIIIII", 7, 0, 7, 7, 15, 0)))
    add("async config 2", vendor(27, struct.pack("!HHIHHI", 1, 8, 7, 2, 8, 3)))
    for n in (22, 23, 25):
        add("empty", vendor(n))
    add("tlv table mod", vendor(24, struct.pack("!H6xHBBH2x", 0, 0xFFFF, 1, 4, 3)))
    add("tlv table mod, bad index", vendor(24, struct.pack("!H6xHBBH2x", 0, 0xFFFF, 1, 4, 64)))
    add("tlv table mod, bad length", vendor(24, struct.pack("!H6xHBBH2x", 0, 0xFFFF, 1, 5, 3)))
    add("tlv table reply", vendor(26, struct.pack("!IH10xHBBH2x", 256, 64, 0xFFFF, 1, 4, 3)))
    add("ct flush zone", vendor(29, bytes(6) + b"\0\x0d"))
    add("ct flush", vendor(32, b"\6" + bytes(7) + bytes.fromhex("00020008000d0000")))
    add("port mod", message(15, struct.pack("!H6sIII4x", 3, b"\x50\x54\0\0\0\1", 1, 1, 1)))
    add("packet out", message(13, struct.pack("!IHH", 0xFFFFFFFF, 0xFFFD, 8)
                              + struct.pack("!HHHH", 0, 8, 3, 0) + FRAME))
    add("packet out", message(13, struct.pack("!IHH", 0xFFFFFFFF, 0xFFFD, 8)
                              + struct.pack("!HHHH", 0, 8, 3, 0) + FRAME), 3)
    add("queue config", message(20, b"\0\1\0\0"))
    bucket = struct.pack("!HHI", 16, 8, 1) + struct.pack("!HHHH", 0, 8, 2, 0)
    group = struct.pack("!HBBIHHI", 0, 0, 0, 77, 16, 0, 0xFFFFFFFF) + bucket
    add("group mod", vendor(31, group))
    add("request forward", vendor(132, vendor(31, group, xid=0x55)))
    add("request forward of something else", vendor(132, message(18, xid=0x55)))
    for command, where in ((3, 0xFFFFFFFD), (3, 0xFFFFFFFE), (5, 0xFFFFFFFF), (5, 7)):
        body = struct.pack("!HBBIHHI", command, 1, 0, 77, 0, 0, where)
        add("group buckets", vendor(31, body))
    add("resume", vendor(28, struct.pack("!HH", 0, 4 + len(FRAME)) + FRAME + bytes(-(4 + len(FRAME)) % 8)
                         + struct.pack("!HH4xQ", 4, 16, 0x1234) + struct.pack("!HHB3x", 5, 5, 1)
                         + struct.pack("!HHB3x", 3, 5, 7)))
    counters = struct.pack("!10QI4x", *range(1, 11), 5)
    ipfix = lambda n, body: message(17, struct.pack("!HHIII", 0xFFFF, 0, NX, n, 0) + body)
    add("ipfix bridge reply", ipfix(3, counters))
    add("ipfix flow reply", ipfix(4, counters + counters))
    add("queue reply", message(17, struct.pack("!HHH2xIQQQ", 5, 0, 3, 1, 2, 3, 4)))
    add("port reply", message(17, struct.pack("!HHH6x12Q", 4, 0, 3, *range(12))))
    add("flow removed", vendor(14, struct.pack("!QHBBIIHHQQ", 7, 5, 2, 4, 1, 2, 3, 6, 8, 9)
                               + bytes.fromhex("0000060208000000")))
    add("flow removed", message(11, match40 + struct.pack("!QHBxIIH2xQQ", 7, 5, 1, 1, 2, 3, 8, 9)))
    add("port status", message(12, struct.pack("!B7xH6s16s6I", 2, 3, b"\x50\x54\0\0\0\1", b"eth0",
                                               1, 1, 0x80, 0, 0, 0)))
    add("port status, bad reason", message(12, struct.pack("!B7xH6s16s6I", 9, 3, bytes(6), b"eth0",
                                                           *([0] * 6))))
    add("cut flow mod", vendor(13, struct.pack("!QHHHHIHHH6x", 7, 0, 0, 0, 1, 0xFFFFFFFF, 0xFFFF,
                                               0, 0) + bytes(4)))
    rec.save()


def main():
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ofrec") as dir:
        record_encodings(dir)
        record_of14(dir)
        record_requests()
        record_switch(dir)


main()
