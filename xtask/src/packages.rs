//! Programs of the system that are needed, and their installation by apt.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A program, or a file by its whole path, that has to be there, the Debian package that brings it, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    file: &'static str,
    package: &'static str,
    why: &'static str,
}

const fn need(file: &'static str, package: &'static str, why: &'static str) -> Need {
    Need { file, package, why }
}

/// What the testbed needs.
pub const TESTBED: &[Need] = &[
    need("ovs-vswitchd", "openvswitch-switch", "private switches"),
    need(
        "ovsdb-server",
        "openvswitch-switch",
        "private switch databases",
    ),
    need(
        "ovs-vsctl",
        "openvswitch-common",
        "plugging ports as a hypervisor driver does",
    ),
    need("ip", "iproute2", "links and addresses of the test machines"),
];

/// What compiling needs.
pub const BUILD: &[Need] = &[
    need("cc", "build-essential", "linking, and the embedded SQLite"),
    need("c++", "build-essential", "libFuzzer"),
];

/// What the tests need beyond the testbed.
pub const TESTS: &[Need] = &[
    need(
        "nft",
        "nftables",
        "independent witness of the nf_tables tests",
    ),
    need(
        "linux.uml",
        "user-mode-linux",
        "a kernel with openvswitch.ko and 802.1Q",
    ),
    need("valgrind", "valgrind", "instruction counts of the benches"),
    need(
        "conntrack",
        "conntrack",
        "independent witness of the conntrack tests",
    ),
    need("iptables", "iptables", "peer of the nf_tables bench"),
    need("ipset", "ipset", "peer of the nf_tables bench"),
    need(
        "pkg-config",
        "pkg-config",
        "finding the libraries of the nf_tables oracle",
    ),
    need(
        "/usr/include/libmnl/libmnl.h",
        "libmnl-dev",
        "oracle of the nf_tables encoder",
    ),
    need(
        "/usr/include/libnftnl/rule.h",
        "libnftnl-dev",
        "oracle of the nf_tables encoder",
    ),
];

/// Installs what is missing, saying what and why.
pub fn ensure(lists: &[&[Need]]) -> Result<()> {
    let missing: Vec<Need> = lists
        .iter()
        .copied()
        .flatten()
        .copied()
        .filter(|n| !is_there(n.file))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        println!(
            "missing: {} (package {}): {}",
            need.file, need.package, need.why
        );
    }
    let mut packages: Vec<&str> = missing.iter().map(|n| n.package).collect();
    packages.sort_unstable();
    packages.dedup();
    println!("installing by apt-get: {}", packages.join(" "));
    crate::require_root().context("apt-get wants root")?;
    if !install(&packages)? {
        println!("not found in the package lists at hand; fetching them anew");
        if !apt(&["update"])? || !install(&packages)? {
            bail!("apt-get could not install {}", packages.join(" "));
        }
    }
    for need in missing {
        if !is_there(need.file) {
            bail!(
                "{} is still missing after installing {}",
                need.file,
                need.package
            );
        }
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<bool> {
    let mut args = vec!["install", "--yes", "--no-install-recommends"];
    args.extend(packages);
    apt(&args)
}

fn apt(args: &[&str]) -> Result<bool> {
    let status = Command::new("apt-get")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context(
            "start apt-get: on a system without it, install the packages named above by hand",
        )?;
    Ok(status.success())
}

fn is_there(file: &str) -> bool {
    if file.starts_with('/') {
        return Path::new(file).exists();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    path.split(':')
        .chain(system)
        .any(|dir| Path::new(dir).join(file).exists())
}
