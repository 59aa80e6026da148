//! Ctrl-C and SIGTERM: leave nothing behind.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

static SEEN: AtomicBool = AtomicBool::new(false);
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// Whether SIGINT or SIGTERM arrived.
pub fn interrupted() -> bool {
    SEEN.load(Ordering::SeqCst)
}

extern "C" fn note(_signal: libc::c_int) {
    SEEN.store(true, Ordering::SeqCst);
    let fd = WAKE.load(Ordering::SeqCst);
    let byte = 1u8;
    // SAFETY: write(2) is async-signal-safe; the descriptor is a pipe that is never closed.
    unsafe { libc::write(fd, (&raw const byte).cast(), 1) };
}

/// From now on SIGINT and SIGTERM kill every process started here, remove the scratch directories, call `last_words`
/// and end this process with status 130. A second call changes nothing.
pub fn on_interrupt(last_words: impl FnOnce() + Send + 'static) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    if INSTALLED.set(()).is_err() {
        return;
    }
    let mut pipe = [0 as libc::c_int; 2];
    // SAFETY: pipe2 fills the two-element array it is given.
    let made = unsafe { libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(made, 0, "pipe2: {}", std::io::Error::last_os_error());
    WAKE.store(pipe[1], Ordering::SeqCst);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only touches atomics and calls write(2).
        unsafe { libc::signal(signal, note as *const () as libc::sighandler_t) };
    }
    std::thread::spawn(move || {
        let mut byte = 0u8;
        // SAFETY: reads one byte into a live local.
        while unsafe { libc::read(pipe[0], (&raw mut byte).cast(), 1) } != 1 {}
        crate::process::kill_all();
        crate::scratch::remove_own();
        last_words();
        std::process::exit(130);
    });
}
