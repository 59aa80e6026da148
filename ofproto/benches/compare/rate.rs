//! Rates per second of processor time: samples, their median and their spread.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

const SAMPLES: usize = 11;
/// A sample runs the work again until it has taken this long.
const LEAST: Duration = Duration::from_millis(60);

/// The median, least and greatest of several samples.
#[derive(Clone, Copy)]
pub struct Rate {
    pub median: f64,
    pub least: f64,
    pub greatest: f64,
}

impl Rate {
    pub fn of(mut samples: Vec<f64>) -> Rate {
        samples.sort_by(f64::total_cmp);
        Rate {
            median: samples[samples.len() / 2],
            least: samples[0],
            greatest: samples[samples.len() - 1],
        }
    }

    /// Half of the way from the least to the greatest sample, as a part of the median.
    pub fn spread(&self) -> f64 {
        (self.greatest - self.least) / 2.0 / self.median
    }
}

/// Processor time of this thread.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).expect("below a second");
    Duration::new(
        u64::try_from(time.tv_sec).expect("not negative"),
        nanoseconds,
    )
}

/// How often per second `run` does its work, which counts as `count`.
pub fn rate(count: u32, mut run: impl FnMut()) -> Rate {
    run();
    let sample = || {
        let start = now();
        for times in 1u32.. {
            run();
            let taken = now() - start;
            if taken >= LEAST {
                return f64::from(count) * f64::from(times) / taken.as_secs_f64();
            }
        }
        unreachable!("time passes")
    };
    Rate::of(std::iter::repeat_with(sample).take(SAMPLES).collect())
}
