"""Rates of os-ken for the benchmark compare: encode NXT_FLOW_MOD, decode an NXST_FLOW reply.

Arguments: a file with the messages of the dump, a file with the numbers of the flows in it, a file
to write the encoded flows to. Prints what was decoded (flows, exclusive or of the cookies, fields,
actions), then a line of rates per second of processor time for each.
"""

import gc
import sys
import time

from os_ken.ofproto import nx_match
from os_ken.ofproto import ofproto_parser
from os_ken.ofproto import ofproto_v1_0 as ofproto
from os_ken.ofproto import ofproto_v1_0_parser as parser

SAMPLES = 5


class Datapath:
    ofproto = ofproto
    ofproto_parser = parser
    id = 1


def flow(number):
    """The kinds of flows in flows.rs that os-ken knows."""
    rule = nx_match.ClsRule()
    rule.set_tun_id(number)
    if number % 3 == 0:
        rule.set_dl_type(0x0800)
        rule.set_nw_dst(0x0A000000 | number)
        actions = [parser.OFPActionOutput(2, 0)]
    else:
        rule.set_in_port(5)
        rule.set_dl_src(b"\xfa\x16\x3e\x01\x02\x03")
        rule.set_dl_tci(0x1064)
        actions = [parser.OFPActionStripVlan(), parser.NXActionResubmitTable(0xFFF8, 94)]
    cookie = 0x7669666400000000 | number
    command = 60 << 8 | ofproto.OFPFC_ADD
    return parser.NXTFlowMod(Datapath, cookie, command, 0, 0, 100, rule=rule, actions=actions)


def rates(count, run, prepare=lambda: None):
    """Samples of flows per second; what prepare does is not timed."""
    samples = []
    for _ in range(SAMPLES):
        prepared = prepare()
        gc.collect()
        start = time.process_time()
        run(prepared)
        samples.append(count / (time.process_time() - start))
    print(*samples)


def main():
    data = open(sys.argv[1], "rb").read()
    numbers = [int(line) for line in open(sys.argv[2])]
    parts = []
    while data:
        length = int.from_bytes(data[2:4], "big")
        parts.append(data[:length])
        data = data[length:]

    def decode(_):
        flows = []
        for part in parts:
            version, kind, length, xid = ofproto_parser.header(part)
            flows += ofproto_parser.msg(Datapath, version, kind, length, xid, part).body
        return flows

    def encode(messages):
        for message in messages:
            message.serialize()

    def build():
        return [flow(number) for number in numbers]

    with open(sys.argv[3], "wb") as out:
        messages = build()
        encode(messages)
        for message in messages:
            out.write(message.buf)
    cookies = fields = actions = 0
    flows = decode(None)
    for entry in flows:
        cookies ^= entry.cookie
        fields += len(entry.fields)
        actions += len(entry.actions)
    print(len(flows), cookies, fields, actions)
    rates(len(numbers), encode, build)
    rates(len(numbers), decode)


main()
