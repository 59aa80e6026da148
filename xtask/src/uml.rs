//! User-mode Linux: the same tests on a kernel that has `openvswitch.ko` and 802.1Q.
//!
//! The guest's root is this machine's file system, read-only, with memory file systems over the directories that
//! are written to. The guest runs one script as its first process, prints the command's exit status on the
//! console and powers off.
//!
//! A guest has one processor, so the tests run in as many guests as there are processors, up to [`GUESTS`]. Each takes
//! the next test program that none has taken: by making a directory in the host's file system, which only one can.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use testbed::Scratch;

use crate::test::Length;
use crate::{cargo, packages, stages};

const KERNEL: &str = "linux.uml";
const MODULES: &str = "/usr/lib/uml/modules";
const MEMORY_MIB: usize = 1536;
/// Most guests at a time.
const GUESTS: usize = 2;
/// Test programs that take longest.
const LONG: [&str; 3] = ["firewall", "ovs_restart", "ovs_wiring"];
/// In the guest: a directory for every test program that a guest has taken.
const TAKEN: &str = "/run/taken";
/// Printed by the guest as its last words.
const EXIT_MARK: &str = "guest: exit status";

/// What the guest loads; the rest comes with these by dependency.
const LOAD: &[&str] = &[
    "openvswitch",
    "ip6_gre",
    "vport-vxlan",
    "vport-gre",
    "8021q",
    "veth",
    "bridge",
    "tun",
    "dummy",
    "vxlan",
    "nf_tables",
    "overlay",
    // Its kernel cannot ask for modules by itself: they are not where it looks.
    "nf_conntrack_bridge",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "nft_ct",
    "nft_limit",
    "nft_quota",
    "nft_objref",
    "nft_log",
    "nf_log_syslog",
    "nft_queue",
    "nft_numgen",
    "nft_hash",
];

/// Of the tests of nf_tables against a kernel, those that ask what it has: the guest has bridge conntrack and only the
/// bridge family.
const NF_TABLES: &str = "probe:: expressions::";

/// Tests that need connection tracking by zones in the switch: the guest's kernel is built without
/// `CONFIG_NF_CONNTRACK_ZONES`, so `ovs-vswitchd` refuses their flows (`NXBAC_CT_DATAPATH_SUPPORT`). They run on the
/// userspace datapath alone.
const ZONES: &[&str] = &["ovs_firewall"];

/// Those of both firewall drivers, of which the other one runs: their tests are named for it.
const BOTH_DRIVERS: &[&str] = &["ovs_cleanup", "ovs_firewall_metrics"];
const WITHOUT_ZONES: &str = "nf_tables";

/// Of the tests of the firewall drivers, those of nf_tables with packets. What was compared is printed.
const FIREWALL: &str = "named::nft verdicts::nft --nocapture";

/// Builds the tests against a real switch and runs them inside. Whether all passed.
pub fn switch_tests() -> Result<bool> {
    crate::require_root()?;
    packages::ensure(&[packages::TESTBED, packages::BUILD, packages::TESTS])?;
    let log = stages::log_file("uml")?;
    let deadline = Instant::now() + Duration::from_secs(1800);
    switch_tests_until(&log, deadline, Length::Short)
}

/// The same with a log and a deadline.
pub fn switch_tests_until(log: &Path, deadline: Instant, length: Length) -> Result<bool> {
    let mut programs = test_programs(&["test", "--workspace", "--no-run"], |n| {
        stages::begins(n, stages::SWITCH) && !ZONES.contains(&n)
            || ["self_test", "kernel", "firewall", "exec_nft"].contains(&n)
    })?;
    // What takes longest first, so that no guest begins it when the others are done.
    programs.sort_by_key(|(name, _)| !LONG.contains(&name.as_str()));
    let n = guests();
    println!("    {} test programs for {n} guests", programs.len());
    let scratch = Scratch::new()?;
    let taken = scratch.dir("taken")?;
    let script: Vec<String> = programs
        .iter()
        .map(|(name, path)| {
            format!(
                "if mkdir {TAKEN}/{name} 2>/dev/null; then echo 'guest: {name}'; \
                 {} {} --test-threads=1 --color=never || status=1; fi",
                path.display(),
                match name.as_str() {
                    "kernel" => NF_TABLES,
                    "firewall" => FIREWALL,
                    name if BOTH_DRIVERS.contains(&name) => WITHOUT_ZONES,
                    _ => "",
                }
            )
        })
        .collect();
    let script = format!(
        "export VIFD_WORLDS={}\nmkdir -p {TAKEN}\nmount -t hostfs -o {} taken {TAKEN} || exit 1\nstatus=0\n{}\nexit $status",
        worlds(length),
        taken.display(),
        script.join("\n")
    );
    let passed = std::thread::scope(|scope| {
        let others: Vec<_> = (2..=n)
            .map(|n| {
                let script = &script;
                scope.spawn(move || -> Result<(bool, PathBuf)> {
                    let log = stages::log_file(&format!("uml-{n}"))?;
                    Ok((boot(script, &log, deadline)?, log))
                })
            })
            .collect();
        let mut passed = boot(&script, log, deadline)?;
        for other in others {
            let (other_passed, other_log) =
                other.join().expect("a guest's thread does not panic")?;
            passed &= other_passed;
            // One log to read in the end.
            let text = std::fs::read(&other_log)?;
            File::options().append(true).open(log)?.write_all(&text)?;
        }
        anyhow::Ok(passed)
    })?;
    let left: Vec<&str> = programs
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !taken.join(name).exists())
        .collect();
    if !left.is_empty() {
        bail!("no guest ran {}", left.join(", "));
    }
    Ok(passed)
}

/// How many guests fit: one per processor, and twice its memory free for each.
fn guests() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let free = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
            line.split_whitespace().next()?.parse::<usize>().ok()
        })
        .unwrap_or(0);
    processors
        .min(free / (2 * MEMORY_MIB * 1024))
        .clamp(1, GUESTS)
}

fn test_programs(args: &[&str], wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, PathBuf)>> {
    let mut found = cargo::executables(args)?;
    found.retain(|(name, _)| wanted(name));
    if found.is_empty() {
        bail!(
            "cargo {} built no test program for the guest",
            args.join(" ")
        );
    }
    Ok(found)
}

/// Runs one command inside, its output on the screen.
pub fn run_inside(command: &[&str]) -> Result<bool> {
    crate::require_root()?;
    packages::ensure(&[packages::TESTS])?;
    let quoted: Vec<String> = command
        .iter()
        .map(|w| format!("'{}'", w.replace('\'', r"'\''")))
        .collect();
    let log = stages::log_file("uml-command")?;
    let success = boot(
        &quoted.join(" "),
        &log,
        Instant::now() + Duration::from_secs(1800),
    )?;
    print!("{}", std::fs::read_to_string(&log)?);
    Ok(success)
}

/// Boots a guest, runs `script` in it, and tells whether that ended with status 0.
fn boot(script: &str, log: &Path, deadline: Instant) -> Result<bool> {
    let scratch = Scratch::new()?;
    let init = scratch.path().join("init");
    let payload = scratch.path().join("payload");
    let dir = std::env::current_dir()?;
    std::fs::write(&payload, format!("cd '{}'\n{script}\n", dir.display()))?;
    std::fs::write(&init, init_script(&payload))?;
    let mut mode = std::fs::metadata(&init)?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&init, mode)?;

    let mut guest = Command::new(KERNEL);
    guest.args([
        &format!("mem={MEMORY_MIB}M"),
        "rootfstype=hostfs",
        "ro",
        &format!("init={}", init.display()),
        "con0=null,fd:1",
        "con=null",
        "quiet",
    ]);
    // The guest's memory is a file here.
    guest.env(
        "TMPDIR",
        if Path::new("/dev/shm").is_dir() {
            "/dev/shm"
        } else {
            "/tmp"
        },
    );
    let before = std::fs::metadata(log).map_or(0, |m| m.len());
    cargo::watch(guest, log, deadline)?;
    let text = std::fs::read(log)?;
    let text = String::from_utf8_lossy(&text[usize::try_from(before)?..]).into_owned();
    let status = text
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix(EXIT_MARK))
        .context("the guest ended without an exit status; its console is in the log")?;
    Ok(status.trim() == "0")
}

/// A number of rounds from the environment. Starting a process costs ten times as much in there, so fewer by default.
fn count(name: &str, default: u32) -> u32 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Of generated verdicts.
fn worlds(length: Length) -> u32 {
    let usual = match length {
        Length::Short => 9,
        Length::Full => 60,
    };
    count("VIFD_WORLDS", usual)
}

fn init_script(payload: &Path) -> String {
    let cargo_home = std::env::var("CARGO_HOME").unwrap_or_default();
    format!(
        "#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CARGO_HOME='{cargo_home}' HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /dev/pts /dev/shm /run/tmp/upper /run/tmp/work /run/kmod/lib
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
ln -s {MODULES} /run/kmod/lib/modules
for module in {modules}; do
    modprobe -d /run/kmod $module || echo \"guest: no module $module\"
done
mount -t overlay -o lowerdir=/tmp,upperdir=/run/tmp/upper,workdir=/run/tmp/work overlay /tmp || mount -t tmpfs tmpfs /tmp
export TESTBED_DATAPATH=system TERM=dumb\nexport VIFD_KILL_POINTS={kill_points} VIFD_RANDOM_STEPS={random_steps}
echo \"guest: Linux $(uname -r), up after $(cut -d' ' -f1 /proc/uptime) s\"
# ovs-vswitchd 3.1 counts no processor, so handles no packet, while the clock shows less than 10 s.
while [ $(cut -d. -f1 /proc/uptime) -lt 11 ]; do sleep 0.2; done
sh {payload} 2>&1
echo \"{EXIT_MARK} $?\"
echo o > /proc/sysrq-trigger
sleep 60
",
        modules = LOAD.join(" "),
        kill_points = count("VIFD_KILL_POINTS", 3),
        random_steps = count("VIFD_RANDOM_STEPS", 20),
        payload = payload.display(),
    )
}
