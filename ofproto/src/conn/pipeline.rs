//! Submissions on their way: a queue, a bounded window, and who gets which answer.
//!
//! Owns: the order of submissions, transaction ids, the window, the barrier behind each segment of
//! a batch, and the map from xid to operation. Knows nothing of hello, probes or sockets.
//!
//! The switch handles one connection strictly in order, so what is in flight is a queue as well:
//! answers are looked for from its front, and only its front can be late. Held by `tests/conn.rs`.

use std::collections::VecDeque;
use std::time::Duration;

use super::batch::Batch;
use super::bundle::{BundleFlags, BundleId, ControlKind, Stage};
use super::config::{Config, WireVersion};
use super::event::{CloseReason, Event, Failure, OfError, OpError, Tag};
use super::frame::{Frame, kind, write_message};

/// What a user handed in, until all of it is sent.
#[derive(Debug)]
pub(super) enum Work {
    /// One message that is answered by one reply or one multi-part reply.
    Request { tag: Tag, bytes: Vec<u8> },
    /// Messages without replies, with barriers.
    Batch(Run),
    /// Messages wrapped into a bundle (OF1.4 §7.3.9).
    Bundle {
        run: Run,
        id: BundleId,
        flags: BundleFlags,
        stage: Stage,
    },
}

/// A batch with the place reached in it.
#[derive(Debug)]
pub(super) struct Run {
    tag: Tag,
    batch: Batch,
    cursor: usize,
    sent: usize,
    /// The job in [`Pipeline::jobs`] once the first message went out.
    started: bool,
}

impl Run {
    pub fn new(tag: Tag, batch: Batch) -> Self {
        Self {
            tag,
            batch,
            cursor: 0,
            sent: 0,
            started: false,
        }
    }
}

/// Sent, not yet known to be executed.
#[derive(Debug)]
struct InFlight {
    what: Sent,
    messages: usize,
    bytes: usize,
}

#[derive(Debug)]
enum Sent {
    Request { xid: u32, tag: Tag },
    Segment(Segment),
    Control { xid: u32, kind: ControlKind },
}

/// Part of a batch that ends with a barrier.
#[derive(Debug)]
struct Segment {
    job: u64,
    first_xid: u32,
    count: u32,
    /// How many messages of the batch went before this segment.
    base: usize,
    /// Sent when the segment is complete.
    barrier: Option<u32>,
    last: bool,
}

impl Segment {
    /// The number within the batch of the message sent with `xid`.
    fn position(&self, xid: u32) -> Option<usize> {
        position(self.first_xid, self.count, self.base, xid)
    }
}

fn position(first_xid: u32, count: u32, base: usize, xid: u32) -> Option<usize> {
    let offset = xid.wrapping_sub(first_xid);
    (offset < count).then(|| base + usize::try_from(offset).unwrap_or(0))
}

/// What is known about a batch or bundle whose first message was sent.
#[derive(Debug)]
struct Job {
    tag: Tag,
    ops: usize,
    unsent: Vec<(usize, OpError)>,
    refused: Vec<(usize, OpError)>,
    acknowledged: usize,
    /// `Some` for bundles: xid ranges kept until the commit, which may still blame one of them.
    ranges: Option<Vec<(u32, u32, usize)>>,
    control: Option<OfError>,
}

impl Job {
    fn refuse(&mut self, sent: usize, error: OfError) -> Result<(), CloseReason> {
        if self.refused.len() > self.ops {
            return Err(CloseReason::Protocol("more errors than operations"));
        }
        let index = Batch::op_index(&self.unsent, sent);
        self.refused.push((index, OpError::Refused(error)));
        Ok(())
    }

    /// All refusals in ascending order, one per operation.
    fn errors(&mut self) -> Vec<(usize, OpError)> {
        let mut errors = std::mem::take(&mut self.unsent);
        errors.append(&mut self.refused);
        errors.sort_by_key(|(index, _)| *index);
        errors.dedup_by_key(|(index, _)| *index);
        errors
    }
}

#[derive(Debug)]
pub(super) struct Pipeline {
    config: Config,
    queue: VecDeque<Work>,
    backlog: usize,
    in_flight: VecDeque<InFlight>,
    messages: usize,
    bytes: usize,
    jobs: VecDeque<Job>,
    first_job: u64,
    next_xid: u32,
    /// When the front of `in_flight` last changed or received a part.
    progress: Duration,
}

impl Pipeline {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            queue: VecDeque::new(),
            backlog: 0,
            in_flight: VecDeque::new(),
            messages: 0,
            bytes: 0,
            jobs: VecDeque::new(),
            first_job: 0,
            next_xid: 1,
            progress: Duration::ZERO,
        }
    }

    /// Bytes submitted and not yet sent.
    pub fn backlog(&self) -> usize {
        self.backlog
    }

    /// Messages sent and not yet known to be executed.
    pub fn in_flight(&self) -> usize {
        self.messages
    }

    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty()
    }

    pub fn submit(&mut self, work: Work) {
        self.backlog += match &work {
            Work::Request { bytes, .. } => bytes.len(),
            Work::Batch(run) | Work::Bundle { run, .. } => run.batch.byte_len(),
        };
        self.queue.push_back(work);
    }

    /// When the oldest message in flight becomes late.
    pub fn deadline(&self) -> Option<Duration> {
        let waiting = !self.in_flight.is_empty();
        waiting.then(|| self.progress.saturating_add(self.config.request_timeout))
    }

    /// The next free transaction id; never 0, which asynchronous messages carry.
    pub fn take_xid(&mut self) -> u32 {
        let xid = self.next_xid;
        self.next_xid = following(xid);
        xid
    }

    /// Appends messages to `out` while the window and `max` bytes allow.
    pub fn release(&mut self, now: Duration, max: usize, out: &mut Vec<u8>) {
        if self.in_flight.is_empty() {
            self.progress = now;
        }
        while let Some(work) = self.queue.pop_front() {
            let rest = match work {
                Work::Request { tag, bytes } => self.release_request(tag, bytes, max, out),
                Work::Batch(mut run) => {
                    let done = self.release_run(&mut run, None, max, out);
                    (!done).then_some(Work::Batch(run))
                }
                Work::Bundle {
                    run,
                    id,
                    flags,
                    stage,
                } => Some(self.release_bundle(run, id, flags, stage, max, out)),
            };
            if let Some(rest) = rest {
                self.queue.push_front(rest);
                return;
            }
        }
    }

    fn is_full(&self, max: usize, out: &[u8]) -> bool {
        self.window_full() || out.len() >= max
    }

    fn window_full(&self) -> bool {
        self.messages >= self.config.window_messages || self.bytes >= self.config.window_bytes
    }

    fn release_request(
        &mut self,
        tag: Tag,
        bytes: Vec<u8>,
        max: usize,
        out: &mut Vec<u8>,
    ) -> Option<Work> {
        if self.is_full(max, out) {
            return Some(Work::Request { tag, bytes });
        }
        let xid = self.take_xid();
        self.backlog = self.backlog.saturating_sub(bytes.len());
        append_with_xid(out, &bytes, xid);
        self.track(Sent::Request { xid, tag }, bytes.len());
        None
    }

    /// Opens the bundle, adds, waits until all adds are settled, then commits or discards.
    /// The work stays at the head of the queue until the last control reply.
    fn release_bundle(
        &mut self,
        mut run: Run,
        id: BundleId,
        flags: BundleFlags,
        mut stage: Stage,
        max: usize,
        out: &mut Vec<u8>,
    ) -> Work {
        if stage == Stage::Unopened && !self.is_full(max, out) {
            self.start_job(&mut run, true);
            self.send_control(ControlKind::Open, id, flags, out);
            stage = Stage::Adding;
        }
        if stage == Stage::Adding && self.release_run(&mut run, Some((id, flags)), max, out) {
            stage = Stage::Settling;
        }
        if stage == Stage::Settling && self.in_flight.is_empty() {
            let clean = self.jobs.back().is_some_and(|job| {
                job.refused.is_empty() && job.unsent.is_empty() && job.control.is_none()
            });
            let control = if clean {
                ControlKind::Commit
            } else {
                ControlKind::Discard
            };
            self.send_control(control, id, flags, out);
            stage = Stage::Ending;
        }
        Work::Bundle {
            run,
            id,
            flags,
            stage,
        }
    }

    fn send_control(
        &mut self,
        control: ControlKind,
        id: BundleId,
        flags: BundleFlags,
        out: &mut Vec<u8>,
    ) {
        let xid = self.take_xid();
        let start = out.len();
        let body = control.body(id, flags);
        write_message(
            out,
            self.config.version.byte(),
            kind::BUNDLE_CONTROL,
            xid,
            &body,
        );
        self.track(Sent::Control { xid, kind: control }, out.len() - start);
    }

    fn start_job(&mut self, run: &mut Run, bundle: bool) {
        run.started = true;
        self.jobs.push_back(Job {
            tag: run.tag,
            ops: run.batch.len(),
            unsent: run.batch.take_unsent(),
            refused: Vec::new(),
            acknowledged: 0,
            ranges: bundle.then(Vec::new),
            control: None,
        });
    }

    /// Sends operations; `true` when the last one and its barrier are out.
    fn release_run(
        &mut self,
        run: &mut Run,
        bundle: Option<(BundleId, BundleFlags)>,
        max: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        if !run.started {
            if self.is_full(max, out) {
                return false;
            }
            self.start_job(run, false);
        }
        let segment_messages = (self.config.window_messages / 2).max(1);
        let segment_bytes = (self.config.window_bytes / 2).max(1);
        loop {
            let message = run.batch.message_at(run.cursor);
            let segment = match self.in_flight.back_mut() {
                Some(InFlight {
                    what: Sent::Segment(segment),
                    messages,
                    bytes,
                }) if segment.barrier.is_none() => Some((segment, messages, bytes)),
                _ => None,
            };
            let Some((segment, messages, bytes)) = segment else {
                // A batch without messages still gets its barrier.
                if message.is_none() && run.sent > 0 {
                    return true;
                }
                if self.is_full(max, out) {
                    return false;
                }
                self.open_segment(run.sent, segment_messages);
                continue;
            };
            let Some(message) = message else {
                self.close_segment(true, out);
                return true;
            };
            let complete = *messages >= segment_messages || *bytes >= segment_bytes;
            let full = self.messages >= self.config.window_messages
                || self.bytes >= self.config.window_bytes;
            if complete || full {
                self.close_segment(false, out);
                continue;
            }
            if out.len() >= max {
                return false;
            }
            let xid = segment.first_xid.wrapping_add(segment.count);
            let start = out.len();
            match bundle {
                None => append_with_xid(out, message, xid),
                Some((id, flags)) => {
                    super::bundle::append_add(out, message, xid, id, flags);
                }
            }
            let written = out.len() - start;
            segment.count += 1;
            *messages += 1;
            *bytes += written;
            self.messages += 1;
            self.bytes += written;
            self.backlog = self.backlog.saturating_sub(message.len());
            run.cursor += message.len();
            run.sent += 1;
            self.next_xid = following(xid);
        }
    }

    fn open_segment(&mut self, base: usize, room: usize) {
        // A segment's ids are contiguous and never reach 0.
        let room = u32::try_from(room)
            .unwrap_or(u32::MAX / 2)
            .saturating_add(2);
        if self.next_xid >= u32::MAX - room {
            self.next_xid = 1;
        }
        let job = self.first_job + self.jobs.len().saturating_sub(1) as u64;
        self.in_flight.push_back(InFlight {
            what: Sent::Segment(Segment {
                job,
                first_xid: self.next_xid,
                count: 0,
                base,
                barrier: None,
                last: false,
            }),
            messages: 0,
            bytes: 0,
        });
    }

    fn close_segment(&mut self, last: bool, out: &mut Vec<u8>) {
        let xid = self.take_xid();
        let start = out.len();
        let version = self.config.version;
        write_message(out, version.byte(), version.barrier_request(), xid, &[]);
        if let Some(InFlight {
            what: Sent::Segment(segment),
            messages,
            bytes,
        }) = self.in_flight.back_mut()
        {
            segment.barrier = Some(xid);
            segment.last = last;
            *messages += 1;
            *bytes += out.len() - start;
            if let Some(Job {
                ranges: Some(ranges),
                ..
            }) = self.jobs.back_mut()
            {
                ranges.push((segment.first_xid, segment.count, segment.base));
            }
        }
        self.messages += 1;
        self.bytes += out.len() - start;
    }

    fn track(&mut self, what: Sent, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
        self.in_flight.push_back(InFlight {
            what,
            messages: 1,
            bytes,
        });
    }

    /// Takes a message in; gives it back if it answers nothing that is in flight.
    pub fn receive(
        &mut self,
        now: Duration,
        frame: Frame,
        events: &mut VecDeque<Event>,
    ) -> Result<Option<Frame>, CloseReason> {
        if frame.kind() == kind::ERROR {
            return self.receive_error(now, frame, events);
        }
        let xid = frame.xid();
        let found = self.in_flight.iter().position(|entry| match &entry.what {
            Sent::Request { xid: sent, .. } | Sent::Control { xid: sent, .. } => *sent == xid,
            Sent::Segment(segment) => segment.barrier == Some(xid),
        });
        let Some(at) = found else {
            return Ok(Some(frame));
        };
        match self.in_flight.get(at).map(|entry| &entry.what) {
            Some(Sent::Request { tag, .. }) => {
                let tag = *tag;
                let more = has_more(self.config.version, &frame);
                events.push_back(Event::Reply { tag, frame, more });
                if !more {
                    self.remove(now, at);
                } else if at == 0 {
                    self.progress = now;
                }
            }
            Some(Sent::Segment(_)) => {
                if frame.kind() != self.config.version.barrier_reply() {
                    return Err(CloseReason::Protocol("barrier answered by another message"));
                }
                // A barrier reply says that everything before was processed.
                for _ in 0..at {
                    self.skip_front(now, events)?;
                }
                self.finish_segment(now, events);
            }
            Some(Sent::Control { .. }) => {
                if frame.kind() != kind::BUNDLE_CONTROL {
                    return Err(CloseReason::Protocol(
                        "bundle control answered by another message",
                    ));
                }
                self.finish_control(now, at, None, events);
            }
            None => {}
        }
        Ok(None)
    }

    fn receive_error(
        &mut self,
        now: Duration,
        frame: Frame,
        events: &mut VecDeque<Event>,
    ) -> Result<Option<Frame>, CloseReason> {
        let Some(error) = OfError::of(&frame) else {
            return Err(CloseReason::Protocol("error message cut short"));
        };
        let xid = frame.xid();
        let mut hit = None;
        for (at, entry) in self.in_flight.iter().enumerate() {
            let found = match &entry.what {
                Sent::Request { xid: sent, .. } | Sent::Control { xid: sent, .. } => *sent == xid,
                Sent::Segment(segment) if segment.barrier == Some(xid) => {
                    return Err(CloseReason::Protocol("barrier refused"));
                }
                Sent::Segment(segment) => segment.position(xid).is_some(),
            };
            if found {
                hit = Some(at);
                break;
            }
        }
        let Some(at) = hit else {
            return self
                .blame_bundle(xid, error)
                .map(|hit| (!hit).then_some(frame));
        };
        match self.in_flight.get(at).map(|entry| &entry.what) {
            Some(Sent::Request { tag, .. }) => {
                events.push_back(Event::Failed {
                    tag: *tag,
                    failure: Failure::Refused(error),
                    acknowledged: 0,
                    errors: Vec::new(),
                });
                self.remove(now, at);
            }
            Some(Sent::Segment(segment)) => {
                let (job, position) = (segment.job, segment.position(xid).unwrap_or(0));
                if let Some(job) = self.job_mut(job) {
                    job.refuse(position, error)?;
                }
                if at == 0 {
                    self.progress = now;
                }
            }
            Some(Sent::Control { .. }) => self.finish_control(now, at, Some(error), events),
            None => {}
        }
        Ok(None)
    }

    /// A commit may fail on behalf of a message whose barrier was answered long ago.
    fn blame_bundle(&mut self, xid: u32, error: OfError) -> Result<bool, CloseReason> {
        for job in &mut self.jobs {
            let Some(ranges) = &job.ranges else { continue };
            let hit = ranges
                .iter()
                .find_map(|(first, count, base)| position(*first, *count, *base, xid));
            if let Some(sent) = hit {
                job.refuse(sent, error)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn job_mut(&mut self, job: u64) -> Option<&mut Job> {
        let index = usize::try_from(job.checked_sub(self.first_job)?).ok()?;
        self.jobs.get_mut(index)
    }

    fn remove(&mut self, now: Duration, at: usize) -> Option<InFlight> {
        let entry = self.in_flight.remove(at)?;
        self.messages = self.messages.saturating_sub(entry.messages);
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        if at == 0 {
            self.progress = now;
        }
        Some(entry)
    }

    /// The front was processed without the answer it should have had.
    fn skip_front(
        &mut self,
        now: Duration,
        events: &mut VecDeque<Event>,
    ) -> Result<(), CloseReason> {
        let front = self.in_flight.front().map(|entry| &entry.what);
        let Some(Sent::Request { tag, .. }) = front else {
            return Err(CloseReason::Protocol("barrier replies out of order"));
        };
        events.push_back(failed(*tag, Failure::Unanswered));
        self.remove(now, 0);
        Ok(())
    }

    fn finish_segment(&mut self, now: Duration, events: &mut VecDeque<Event>) {
        let Some(Sent::Segment(segment)) = self.remove(now, 0).map(|entry| entry.what) else {
            return;
        };
        let count = usize::try_from(segment.count).unwrap_or(0);
        let Some(job) = self.job_mut(segment.job) else {
            return;
        };
        job.acknowledged = segment.base + count;
        if segment.last && job.ranges.is_none() {
            let (tag, errors) = (job.tag, job.errors());
            self.pop_job();
            events.push_back(Event::BatchDone { tag, errors });
        }
    }

    fn pop_job(&mut self) {
        self.jobs.pop_front();
        self.first_job += 1;
    }

    fn finish_control(
        &mut self,
        now: Duration,
        at: usize,
        error: Option<OfError>,
        events: &mut VecDeque<Event>,
    ) {
        let Some(Sent::Control { kind, .. }) = self.remove(now, at).map(|entry| entry.what) else {
            return;
        };
        let Some(job) = self.jobs.back_mut() else {
            return;
        };
        // A refused discard leaves nothing to be said: the bundle is gone either way.
        if kind != ControlKind::Discard {
            job.control = job.control.or(error);
        }
        if kind == ControlKind::Open {
            return;
        }
        let event = Event::BundleDone {
            tag: job.tag,
            committed: kind == ControlKind::Commit && error.is_none(),
            control: job.control,
            errors: job.errors(),
        };
        self.pop_job();
        self.queue.pop_front();
        events.push_back(event);
    }

    /// Reports every open submission as failed, oldest first.
    pub fn fail_all(&mut self, oldest: Failure, events: &mut VecDeque<Event>) {
        let mut failure = oldest;
        for entry in std::mem::take(&mut self.in_flight) {
            match entry.what {
                Sent::Request { tag, .. } => events.push_back(failed(tag, failure)),
                // Jobs end in order, so the first one is the segment's or was reported already.
                Sent::Segment(segment) if segment.job >= self.first_job => {
                    self.fail_job(failure, events);
                }
                Sent::Segment(_) => {}
                Sent::Control { .. } => continue,
            }
            failure = Failure::Closed;
        }
        while !self.jobs.is_empty() {
            self.fail_job(failure, events);
            failure = Failure::Closed;
        }
        for work in std::mem::take(&mut self.queue) {
            let event = match work {
                Work::Request { tag, .. } => failed(tag, failure),
                // Reported with its job.
                Work::Batch(run) | Work::Bundle { run, .. } if run.started => continue,
                Work::Batch(mut run) | Work::Bundle { mut run, .. } => Event::Failed {
                    tag: run.tag,
                    failure,
                    acknowledged: 0,
                    errors: run.batch.take_unsent(),
                },
            };
            events.push_back(event);
            failure = Failure::Closed;
        }
        *self = Self::new(self.config);
    }

    fn fail_job(&mut self, failure: Failure, events: &mut VecDeque<Event>) {
        if let Some(job) = self.jobs.front_mut() {
            events.push_back(job_failed(job, failure));
        }
        self.pop_job();
    }
}

fn failed(tag: Tag, failure: Failure) -> Event {
    Event::Failed {
        tag,
        failure,
        acknowledged: 0,
        errors: Vec::new(),
    }
}

fn job_failed(job: &mut Job, failure: Failure) -> Event {
    let acknowledged = match (&job.ranges, job.acknowledged) {
        (Some(_), _) | (None, 0) => 0,
        (None, sent) => Batch::op_index(&job.unsent, sent - 1) + 1,
    };
    Event::Failed {
        tag: job.tag,
        failure,
        acknowledged,
        errors: job.errors(),
    }
}

/// 0 belongs to asynchronous messages, the highest id to our probes.
fn following(xid: u32) -> u32 {
    if xid >= u32::MAX - 1 { 1 } else { xid + 1 }
}

/// OF1.0 §5.3.5: bit 0 of the flags of a statistics reply.
fn has_more(version: WireVersion, frame: &Frame) -> bool {
    frame.kind() == version.stats_reply() && frame.u16_at(10).is_some_and(|flags| flags & 1 != 0)
}

/// Appends a whole message with its xid replaced.
pub(super) fn append_with_xid(out: &mut Vec<u8>, message: &[u8], xid: u32) {
    if let Some((head, rest)) = message.split_at_checked(4)
        && let Some((_, body)) = rest.split_at_checked(4)
    {
        out.extend_from_slice(head);
        out.extend_from_slice(&xid.to_be_bytes());
        out.extend_from_slice(body);
    }
}
