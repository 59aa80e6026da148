//! A short OpenFlow connection to one bridge: what `vifd openflow` and `vifd cleanup` work on.
//!
//! One question at a time, each with its answer. Held by `tests/ovs_cli.rs`.

use std::time::Duration;

use ofproto::conn::{Batch, Config as ConnConfig, Event, Frame, Tag};
use ofproto::msg::{FlowStats, FlowStatsRequest, Message, PhyPort, StatsReply, StatsRequest};
use ofproto::net::{self, Endpoint, Events, Handle};
use tokio::time::timeout;

use super::failure::{Failure, Kind};
use crate::config::Config;

/// The connection.
#[derive(Debug)]
pub struct Bridge {
    handle: Handle,
    events: Events,
    endpoint: Endpoint,
    patience: Duration,
}

/// A bridge's name in the configured run directory, or `unix:PATH`, or `tcp:ADDRESS:PORT`.
pub fn endpoint(config: &Config, name: &str) -> Result<Endpoint, Failure> {
    match name.contains(':') {
        true => name
            .parse()
            .map_err(|e| Failure::text(Kind::Usage, format!("{name}: {e}, or a bridge's name"))),
        false => Ok(Endpoint::bridge(&config.ovs.ovs_rundir, name)),
    }
}

impl Bridge {
    /// Connects; returns when the bridge answers.
    pub async fn connect(endpoint: Endpoint, patience: Duration) -> Result<Bridge, Failure> {
        let failed = |why: String| {
            Failure::text(
                Kind::Failed,
                format!(
                    "cannot work with the bridge at {endpoint}: {why}: does it exist, is ovs-vswitchd running, and is [ovs] ovs_rundir right?"
                ),
            )
        };
        let config = ConnConfig {
            request_timeout: patience,
            ..ConnConfig::default()
        };
        let opened = timeout(patience, net::connect(&endpoint, config)).await;
        let opened =
            opened.map_err(|_| failed(format!("no connection within {} s", patience.as_secs())))?;
        let (handle, mut events) = opened.map_err(|e| failed(e.to_string()))?;
        loop {
            match events.next().await {
                Some(Event::Ready { .. }) => {
                    return Ok(Bridge {
                        handle,
                        events,
                        endpoint,
                        patience,
                    });
                }
                Some(Event::Closed { reason }) => return Err(failed(reason.to_string())),
                Some(_) => {}
                None => return Err(failed("the connection ended".to_owned())),
            }
        }
    }

    /// The flows that a request names.
    pub async fn flows(&mut self, request: FlowStatsRequest) -> Result<Vec<FlowStats>, Failure> {
        let mut flows = Vec::new();
        self.ask(StatsRequest::Flow(request), |part| {
            if let StatsReply::Flow(_, part) = part {
                flows.extend(part);
            }
        })
        .await?;
        Ok(flows)
    }

    /// The ports of the bridge.
    pub async fn ports(&mut self) -> Result<Vec<PhyPort>, Failure> {
        let mut ports = Vec::new();
        self.ask(StatsRequest::PortDesc, |part| {
            if let StatsReply::PortDesc(part) = part {
                ports.extend(part);
            }
        })
        .await?;
        Ok(ports)
    }

    /// Asks one question; the answer comes in parts.
    async fn ask(
        &mut self,
        body: StatsRequest,
        mut take: impl FnMut(StatsReply),
    ) -> Result<(), Failure> {
        let message = Message::StatsRequest { flags: 0, body };
        let bytes = message.to_bytes(0).map_err(|e| Failure::failed(&e))?;
        let frame = Frame::new(bytes).ok_or_else(|| self.failed("the request is no message"))?;
        self.handle
            .request(Tag(0), frame)
            .map_err(|e| self.failed(e))?;
        loop {
            match self.next().await? {
                Event::Reply { frame, more, .. } => {
                    let (_, reply) = Message::decode(frame.bytes()).map_err(|e| self.failed(e))?;
                    if let Message::StatsReply { body, .. } = reply {
                        take(body);
                    }
                    if !more {
                        return Ok(());
                    }
                }
                Event::Failed { failure, .. } => return Err(self.failed(failure)),
                _ => {}
            }
        }
    }

    /// Carries out messages that have no answer; the first refusal is an error.
    pub async fn submit(&mut self, batch: Batch) -> Result<(), Failure> {
        self.handle
            .submit_batch(Tag(0), batch)
            .map_err(|e| self.failed(e))?;
        loop {
            match self.next().await? {
                Event::BatchDone { errors, .. } => {
                    return errors
                        .into_iter()
                        .next()
                        .map_or(Ok(()), |(_, error)| Err(self.failed(error)));
                }
                Event::Failed { failure, .. } => return Err(self.failed(failure)),
                _ => {}
            }
        }
    }

    async fn next(&mut self) -> Result<Event, Failure> {
        // The connection has deadlines of its own; this one is for the case that they do not help.
        match timeout(self.patience * 3, self.events.next()).await {
            Ok(Some(Event::Closed { reason })) => Err(self.failed(reason)),
            Ok(Some(event)) => Ok(event),
            Ok(None) => Err(self.failed("the connection ended")),
            Err(_) => Err(self.failed("no answer")),
        }
    }

    fn failed(&self, why: impl std::fmt::Display) -> Failure {
        Failure::text(Kind::Failed, format!("{}: {why}", self.endpoint))
    }
}
