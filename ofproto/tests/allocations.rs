//! Nothing is allocated per flow: not where a dump of 100 000 flows is walked in place, and not
//! where a batch that has grown once is filled again.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ofproto::action::{Action, ActionList};
use ofproto::conn::Batch;
use ofproto::matching::{FieldId, Match};
use ofproto::msg::{FlowMod, FlowModForm, FlowStats, Message, StatsReply};
use ofproto::ports::Port;
use ofproto::view::flow_views;

struct Counting;

thread_local! {
    /// Allocations of this thread, those that grow a block included.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn note() {
    // A thread that ends has nothing left to count with.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system allocator unchanged; calls are only counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `run` allocates.
fn allocations(run: impl FnOnce()) -> usize {
    let before = COUNT.get();
    run();
    COUNT.get() - before
}

const FLOWS: u32 = 100_000;

fn flow(number: u32) -> FlowMod {
    let matching = Match::new()
        .with(FieldId::REG6, number)
        .with(FieldId::ETH_TYPE, 0x0800u16)
        .with_masked(FieldId::IP_DST, 0x0a00_0000 | number << 8, 0xffff_ff00);
    let actions: ActionList = [Action::output(Port(2)), Action::resubmit_table(94)]
        .into_iter()
        .collect();
    FlowMod {
        cookie: number.into(),
        ..FlowMod::add(60, 100, matching, actions)
    }
}

fn stats(number: u32) -> FlowStats {
    let flow = flow(number);
    FlowStats {
        table: flow.table,
        duration: (1, 2),
        priority: flow.priority,
        idle_timeout: 0,
        hard_timeout: 0,
        idle_age: Some(3),
        hard_age: None,
        cookie: flow.cookie,
        packets: 1,
        bytes: 60,
        match_: flow.match_,
        actions: flow.actions,
    }
}

#[test]
fn a_dump_is_walked_without() {
    let numbers: Vec<u32> = (0..FLOWS).collect();
    let parts: Vec<Vec<u8>> = numbers
        .chunks(400)
        .map(|part| {
            let flows = part.iter().map(|number| stats(*number)).collect();
            let body = StatsReply::Flow(FlowModForm::Nx, flows);
            Message::StatsReply { flags: 1, body }.to_bytes(7).unwrap()
        })
        .collect();
    let (mut flows, mut cookies, mut fields, mut actions) = (0, 0, 0, 0);
    let allocated = allocations(|| {
        for part in &parts {
            for flow in flow_views(part).unwrap() {
                let flow = flow.unwrap();
                flows += 1;
                cookies += flow.cookie();
                fields += flow.entries().filter(|e| e.field().is_some()).count();
                actions += flow.actions().count();
            }
        }
    });
    let all = u64::from(FLOWS);
    assert_eq!((flows, cookies), (all, all * (all - 1) / 2));
    assert_eq!((fields, actions), (300_000, 200_000));
    assert_eq!(allocated, 0, "allocations for {FLOWS} flows");
}

#[test]
fn a_batch_is_filled_again_without() {
    let flows: Vec<FlowMod> = (0..FLOWS).map(flow).collect();
    let mut batch = Batch::new();
    batch.extend(&flows);
    let length = batch.byte_len();
    let allocated = allocations(|| {
        batch.clear();
        batch.extend(&flows);
    });
    assert_eq!(batch.byte_len(), length);
    assert_eq!(allocated, 0, "allocations for {FLOWS} flows");
}

/// What is counted is what is allocated.
#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1u8; 9]))), 1);
}
