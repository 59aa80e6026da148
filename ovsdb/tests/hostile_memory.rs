//! The memory bound of `ovsdb::conn`, measured: messages made to cost as much as possible per
//! byte stay below 40 times their length, and nothing is left of them afterwards.

use ovsdb::conn::{Conn, Limits};
use ovsdb::json::{MAX_DEPTH, SplitLimits};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call goes to the system allocator unchanged; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LENGTH: usize = 2 << 20;
const READ: usize = 64 << 10;

/// A notification of `LENGTH` bytes whose parameters repeat `unit`.
fn message(unit: &str) -> Vec<u8> {
    let mut text = String::from(r#"{"id":null,"method":"m","params":["#);
    while text.len() < LENGTH - 64 {
        text.push_str(unit);
        text.push(',');
    }
    text.push_str("0]}");
    text.into_bytes()
}

#[test]
fn costly_messages_are_bounded() {
    let limits = Limits {
        split: SplitLimits {
            message: 2 * LENGTH,
            depth: MAX_DEPTH,
        },
        ..Limits::default()
    };
    let deep = format!("{}{}", "[".repeat(900), "]".repeat(900));
    let many = (0..200)
        .map(|i| format!("\"{i}\":0"))
        .collect::<Vec<_>>()
        .join(",");
    let units = [
        "0",
        "[0]",
        "[]",
        "{}",
        "{\"\":0}",
        "\"\"",
        "\"a\"",
        "[[0]]",
        "1e1",
        &format!("{{{many}}}"),
        &deep,
        &format!("\"{}\"", "\\u0041".repeat(1000)),
        &format!("\"{}\"", "\u{10ffff}".repeat(1000)),
    ];
    for unit in units {
        let bytes = message(unit);
        let mut conn = Conn::new(limits, Duration::ZERO);
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        for chunk in bytes.chunks(READ) {
            conn.receive(chunk, Duration::ZERO).unwrap();
        }
        let peak = PEAK.load(Ordering::Relaxed) - before;
        assert!(conn.poll_event().is_some());
        drop(conn);
        let unit: String = unit.chars().take(12).collect();
        println!(
            "{unit:>12}: {:.1} bytes per byte",
            peak as f64 / bytes.len() as f64
        );
        assert!(peak < 40 * bytes.len() + READ, "{unit}: {peak}");
        let left = NOW.load(Ordering::Relaxed).saturating_sub(before);
        assert!(left < 64 << 10, "{unit}: {left} bytes left");
    }
}
