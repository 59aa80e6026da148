"""Rates of os-ken for compare.rs: encode NXT_FLOW_MOD, decode an NXST_FLOW reply.

Arguments: a file with the messages of the dump, the number of flows in it. Prints two numbers,
flows per second.
"""

import sys
import time

from os_ken.ofproto import nx_match
from os_ken.ofproto import ofproto_parser
from os_ken.ofproto import ofproto_v1_0 as ofproto
from os_ken.ofproto import ofproto_v1_0_parser as parser


class Datapath:
    ofproto = ofproto
    ofproto_parser = parser
    id = 1


def flow(number):
    """Two of the kinds of flows in flows.rs: os-ken cannot match ct_state."""
    rule = nx_match.ClsRule()
    rule.set_reg(6, number)
    if number % 2 == 0:
        rule.set_dl_type(0x0800)
        rule.set_nw_dst(0x0A000000 | number)
        actions = [parser.OFPActionOutput(2)]
    else:
        rule.set_in_port(5)
        rule.set_dl_src(b"\xfa\x16\x3e\x01\x02\x03")
        rule.set_dl_tci(0x1064)
        actions = [parser.OFPActionStripVlan(), parser.NXActionResubmitTable(0xFFF8, 94)]
    return parser.NXTFlowMod(
        Datapath, number, ofproto.OFPFC_ADD, 0, 0, 100, rule=rule, actions=actions
    )


def best(count, run, prepare=lambda: None):
    """Flows per second, the best of three runs; what prepare does is not timed."""
    times = []
    for _ in range(3):
        prepared = prepare()
        start = time.perf_counter()
        run(prepared)
        times.append(time.perf_counter() - start)
    return count / min(times)


def main():
    data = open(sys.argv[1], "rb").read()
    count = int(sys.argv[2])
    parts = []
    while data:
        length = int.from_bytes(data[2:4], "big")
        parts.append(data[:length])
        data = data[length:]

    def decode(_):
        flows = 0
        for part in parts:
            version, kind, length, xid = ofproto_parser.header(part)
            message = ofproto_parser.msg(Datapath, version, kind, length, xid, part)
            flows += len(message.body)
        if flows != count:
            raise SystemExit("os-ken decoded %d of %d flows" % (flows, count))

    def encode(messages):
        for message in messages:
            message.serialize()

    def build():
        return [flow(number) for number in range(count)]

    print(best(count, encode, build), best(count, decode))


main()
