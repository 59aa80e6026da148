//! Address translation and copies of packets.

use super::Decoder;
use crate::data::Register;
use crate::expr::*;
use crate::message::Family;
use crate::text::action;
use crate::text::elements;
use crate::text::json::Json;
use crate::text::term::Source;
use crate::text::value::{Kind, Shown};

impl Decoder<'_> {
    /// One register or two as a value or range.
    pub(super) fn span(
        &self,
        min: Option<Register>,
        max: Option<Register>,
        kind: Kind,
    ) -> Option<Shown> {
        let low = self.term(min?).as_value(kind);
        match max.filter(|max| Some(*max) != min) {
            None => Some(low),
            Some(max) => {
                let high = self.term(max);
                if let (Source::Constant(first), Source::Constant(last)) =
                    (&self.term(min?).source, &high.source)
                {
                    return Some(elements::range(kind, first.as_slice(), last.as_slice()));
                }
                let high = high.as_value(kind);
                let json = Json::one("range", vec![low.json, high.json]);
                Some(Shown::new(format!("{}-{}", low.text, high.text), json))
            }
        }
    }

    pub(super) fn nat(&mut self, e: &Nat) {
        let name = e.kind.name().unwrap_or("?");
        let (kind, family) = if e.family == 10 {
            (Kind::Ipv6, "ip6")
        } else {
            (Kind::Ipv4, "ip")
        };
        let mut text = String::from(name);
        let mut json = Json::Object(Vec::new());
        let address = self.span(e.addr_min, e.addr_max, kind);
        let port = self.span(e.proto_min, e.proto_max, Kind::Number);
        if self.family == Family::INET && address.is_some() {
            text.push_str(&format!(" {family}"));
            json = json.with("family", family);
        }
        if e.flags.contains(NatFlags::NETMAP) {
            text.push_str(" prefix");
        }
        text.push_str(" to ");
        if let Some(address) = address {
            let brackets = kind == Kind::Ipv6 && port.is_some();
            text.push_str(&if brackets {
                format!("[{}]", address.text)
            } else {
                address.text
            });
            json = json.with("addr", address.json);
        }
        if let Some(port) = port {
            text.push_str(&format!(":{}", port.text));
            json = json.with("port", port.json);
        }
        let (flags, flags_json) = action::nat_flags(e.flags);
        text.push_str(&flags);
        if e.flags.contains(NatFlags::NETMAP) {
            json = json.with("flags", "netmap").with("type_flags", "prefix");
        } else if let Some(flags) = flags_json {
            json = json.with("flags", flags);
        }
        self.say(Shown::new(text, Json::one(name, json)));
    }

    pub(super) fn masq(
        &mut self,
        name: &str,
        min: Option<Register>,
        max: Option<Register>,
        flags: NatFlags,
    ) {
        let mut text = String::from(name);
        let mut json = Json::Object(Vec::new());
        if let Some(port) = self.span(min, max, Kind::Number) {
            text.push_str(&format!(" to :{}", port.text));
            json = json.with("port", port.json);
        }
        let (flags, flags_json) = action::nat_flags(flags);
        text.push_str(&flags);
        if let Some(flags) = flags_json {
            json = json.with("flags", flags);
        }
        let json = if json == Json::Object(Vec::new()) {
            Json::Null
        } else {
            json
        };
        self.say(Shown::new(text, Json::one(name, json)));
    }

    pub(super) fn tproxy(&mut self, e: &Tproxy) {
        let mut text = String::from("tproxy");
        let mut json = Json::Object(Vec::new());
        let (kind, family) = if e.family == 10 {
            (Kind::Ipv6, "ip6")
        } else {
            (Kind::Ipv4, "ip")
        };
        if self.family == Family::INET && e.family != 0 {
            text.push_str(&format!(" {family}"));
            json = json.with("family", family);
        }
        text.push_str(" to ");
        if let Some(address) = self.span(e.address, None, kind) {
            text.push_str(&address.text);
            json = json.with("addr", address.json);
        }
        if let Some(port) = self.span(e.port, None, Kind::Number) {
            text.push_str(&format!(":{}", port.text));
            json = json.with("port", port.json);
        }
        self.say(Shown::new(text, Json::one("tproxy", json)));
    }

    pub(super) fn copy(&mut self, name: &str, address: Option<Register>, device: Option<Register>) {
        let kind = if self.family == Family::IPV6 {
            Kind::Ipv6
        } else {
            Kind::Ipv4
        };
        let mut json = Json::Object(Vec::new());
        let mut text = format!("{name} to");
        if let Some(address) = self.span(address, None, kind) {
            text.push_str(&format!(" {}", address.text));
            json = json.with("addr", address.json);
        }
        if let Some(device) = self.span(device, None, Kind::HostNumber) {
            let word = if text.ends_with(" to") { "" } else { " device" };
            text.push_str(&format!("{word} {}", device.text));
            json = json.with("dev", device.json);
        }
        self.say(Shown::new(text, Json::one(name, json)));
    }
}
