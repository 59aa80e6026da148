//! Rules as people read them: one form, whoever prints them.

use super::rule::protocol_name;
use crate::model::{Rule, Service};

/// `80:443`, `type 8 code 0`; `None` if the service asks for neither.
pub fn ports(service: Service) -> Option<String> {
    match service {
        Service::Any | Service::Protocol(_) => None,
        Service::Ports { min, max, .. } if min == max => Some(min.to_string()),
        Service::Ports { min, max, .. } => Some(format!("{min}:{max}")),
        Service::Icmp { kind, code: None } => Some(format!("type {kind}")),
        Service::Icmp {
            kind,
            code: Some(code),
        } => Some(format!("type {kind} code {code}")),
    }
}

/// The parts of a rule, in words.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// `ingress` or `egress`.
    pub direction: &'a str,
    /// `IPv4` or `IPv6`.
    pub ethertype: &'a str,
    /// `tcp`; any if there is none.
    pub protocol: Option<&'a str>,
    /// See [`ports`].
    pub ports: Option<&'a str>,
    /// `group web`, a prefix; anywhere if there is none.
    pub remote: Option<&'a str>,
}

impl Parts<'_> {
    /// `ingress IPv4 tcp 80:443 from group web`
    pub fn line(self) -> String {
        let word = match self.direction {
            "egress" => "to",
            _ => "from",
        };
        let ports = self
            .ports
            .map_or(String::new(), |ports| format!(" {ports}"));
        format!(
            "{} {} {}{ports} {word} {}",
            self.direction,
            self.ethertype,
            self.protocol.unwrap_or("any protocol"),
            self.remote.unwrap_or("anywhere")
        )
    }
}

/// The same of a rule of the model; `remote` is its other end, if that is not everybody.
pub fn line(rule: &Rule, remote: Option<&str>) -> String {
    let number = rule.service.protocol(rule.family);
    let protocol = number.map(|number| protocol_name(number, rule.family));
    Parts {
        direction: rule.direction.name(),
        ethertype: rule.family.name(),
        protocol: protocol.as_deref(),
        ports: ports(rule.service).as_deref(),
        remote,
    }
    .line()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{Direction, Family, Remote, RuleId};

    #[test]
    fn every_kind_of_service_has_its_words() {
        let rule = |family, service| Rule {
            id: RuleId(Uuid::nil()),
            direction: Direction::Ingress,
            family,
            service,
            remote: Remote::Any,
        };
        let tcp = |min, max| Service::Ports {
            protocol: 6,
            min,
            max,
        };
        let icmp = |code| Service::Icmp { kind: 8, code };
        for (family, service, words) in [
            (Family::V4, Service::Any, "ingress IPv4 any protocol"),
            (Family::V4, Service::Protocol(132), "ingress IPv4 sctp"),
            (Family::V4, tcp(80, 80), "ingress IPv4 tcp 80"),
            (Family::V6, tcp(80, 443), "ingress IPv6 tcp 80:443"),
            (Family::V4, icmp(None), "ingress IPv4 icmp type 8"),
            (
                Family::V6,
                icmp(Some(0)),
                "ingress IPv6 icmpv6 type 8 code 0",
            ),
        ] {
            let rule = rule(family, service);
            assert_eq!(line(&rule, None), format!("{words} from anywhere"));
            assert_eq!(line(&rule, Some("x")), format!("{words} from x"));
        }
        let out = Rule {
            direction: Direction::Egress,
            ..rule(Family::V4, Service::Any)
        };
        assert_eq!(line(&out, None), "egress IPv4 any protocol to anywhere");
    }
}
