//! The stages of `cargo xtask test`: what each runs and how long it may take.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::test::Length;
use crate::{cargo, fuzz, uml};

/// One stage.
pub struct Stage {
    /// Its name, for `--stage`.
    pub name: &'static str,
    /// What it holds, in words.
    pub about: &'static str,
    /// Seconds it may take in the test command; soak has [`SOAK_FACTOR`] times as many.
    pub budget: u64,
    /// It runs test programs: [`BUILD`] comes first, so that its time is its own.
    pub built: bool,
    /// Does it; whether it passed.
    pub run: fn(&Run<'_>) -> Result<bool>,
}

/// What a stage is given.
pub struct Run<'a> {
    /// How much is run.
    pub length: Length,
    /// Where the whole output goes.
    pub log: &'a Path,
    /// When it must be over.
    pub deadline: Instant,
}

/// Cases of each property in soak: those with a simulated host take an hour, two at a time.
const PROPERTY_CASES: &str = "10000";
/// How many times longer a stage of soak may take.
pub const SOAK_FACTOR: u64 = 12;

/// The stage that builds what the others run.
pub const BUILD: &str = "build";

/// In the order they run: cheap ones first, so that a small mistake is told early.
pub const STAGES: &[Stage] = &[
    Stage {
        name: "fmt",
        about: "formatting",
        budget: 60,
        built: false,
        run: fmt,
    },
    Stage {
        name: "clippy",
        about: "clippy, warnings denied",
        budget: 420,
        built: false,
        run: clippy,
    },
    Stage {
        name: BUILD,
        about: "every test program",
        budget: 600,
        built: false,
        run: build,
    },
    Stage {
        name: "tidy",
        about: "directions of dependencies, forbidden calls and words",
        budget: 60,
        built: true,
        run: tidy,
    },
    Stage {
        name: "unit",
        about: "unit, property and wire tests of every crate",
        budget: 480,
        built: true,
        run: unit,
    },
    Stage {
        name: "vectors",
        about: "the protocol crates against the vectors in VECTORS_DIR",
        budget: 120,
        built: true,
        run: vectors,
    },
    Stage {
        name: "scenario",
        about: "golden scenarios of the planner on a simulated host",
        budget: 120,
        built: true,
        run: scenario,
    },
    Stage {
        name: "testbed",
        about: "the testbed proves itself with flows programmed by hand",
        budget: 120,
        built: true,
        run: testbed,
    },
    Stage {
        name: "ovs",
        about: "the agent against real ovsdb-server and ovs-vswitchd",
        budget: 480,
        built: true,
        run: ovs,
    },
    Stage {
        name: "firewall",
        about: "security groups: generated packets against a reference, kills under a prober",
        budget: 360,
        built: true,
        run: firewall,
    },
    Stage {
        name: "kernel",
        about: "against this kernel, in namespaces",
        budget: 120,
        built: true,
        run: kernel,
    },
    Stage {
        name: "uml",
        about: "the tests of `ovs` on openvswitch.ko, nf_tables in bridges with connection tracking; in user-mode Linux",
        budget: 600,
        built: true,
        run: uml_stage,
    },
    Stage {
        name: "docs",
        about: "documentation builds without a warning",
        budget: 180,
        built: false,
        run: docs,
    },
    Stage {
        name: "bench",
        about: "benches build",
        budget: 720,
        built: false,
        run: bench,
    },
    Stage {
        name: "fuzz",
        about: "fuzz targets build, and run for a while",
        budget: 480,
        built: false,
        run: fuzz_stage,
    },
];

/// Prints names, budgets and purposes.
pub fn list() {
    for stage in STAGES {
        println!("{:<10} {:>4} s  {}", stage.name, stage.budget, stage.about);
    }
}

/// A fresh log file for a stage.
pub fn log_file(stage: &str) -> Result<PathBuf> {
    let dir = cargo::target_dir().join("xtask");
    std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    let path = dir.join(format!("{stage}.log"));
    std::fs::write(&path, "")?;
    Ok(path)
}

impl Run<'_> {
    fn cargo(&self, args: &[&str]) -> Result<bool> {
        self.cargo_env(args, &[])
    }

    fn cargo_env(&self, args: &[&str], env: &[(&str, &str)]) -> Result<bool> {
        let mut command = cargo::command(args);
        command.envs(env.iter().copied());
        if let Length::Full = self.length {
            command.envs([
                ("VIFD_KILL_POINTS", "200"),
                ("VIFD_SOAK", "1"),
                ("PROPTEST_CASES", PROPERTY_CASES),
            ]);
        }
        cargo::watch(command, self.log, self.deadline)
    }

    /// Test programs by name, in one cargo call. Always of the whole workspace: with fewer packages cargo would choose
    /// other features for what they share, and build it once more.
    fn programs(&self, names: &[String], more: &[&str], options: &[&str]) -> Result<bool> {
        let mut args = vec!["test", "--workspace", "--no-fail-fast"];
        args.extend(more);
        for name in names {
            args.extend(["--test", name]);
        }
        args.push("--");
        args.extend(options);
        self.cargo(&args)
    }

    /// The root package's integration tests whose name has one of the prefixes; fails if there is none.
    fn integration(&self, prefixes: &[&str], options: &[&str]) -> Result<bool> {
        let names: Vec<String> = integration_tests(|package| package == ROOT)?
            .into_iter()
            .filter(|n| begins(n, prefixes))
            .collect();
        if names.is_empty() {
            println!("    no test program named {prefixes:?}");
            return Ok(false);
        }
        self.programs(&names, &[], options)
    }
}

/// The package of the agent.
const ROOT: &str = "vifd";

/// Names of the integration tests of some packages, but for those that want a feature of their own.
fn integration_tests(of: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let output = cargo::command(&["metadata", "--no-deps", "--format-version=1"])
        .output()
        .context("start cargo")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let mut names = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        if !package["name"].as_str().is_some_and(&of) {
            continue;
        }
        for target in package["targets"].as_array().into_iter().flatten() {
            let needs = target["required-features"].as_array();
            let special = needs.is_some_and(|f| f.iter().any(|f| f == ORACLE));
            if target["kind"] == serde_json::json!(["test"])
                && !special
                && let Some(name) = target["name"].as_str()
            {
                names.push(name.to_owned());
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The feature of `vifd-nft` that links a C library for the encoder's oracle.
const ORACLE: &str = "oracle-nftnl";

/// Whether the name begins with one of these.
pub fn begins(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Integration tests against a real switch, by the beginning of their names.
pub const SWITCH: &[&str] = &["ovs_", "exec_ovsdb", "exec_openflow"];
/// Against this kernel.
const KERNEL: &[&str] = &["kernel", "exec_rtnl"];
/// Those and the others that have a stage of their own.
const OWN_STAGE: &[&str] = &[
    "tidy",
    "scenario",
    "firewall",
    "ovs_",
    "exec_ovsdb",
    "exec_openflow",
    "kernel",
    "exec_rtnl",
];

fn fmt(run: &Run<'_>) -> Result<bool> {
    let workspace = run.cargo(&["fmt", "--all", "--check"])?;
    let fuzz = run.cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])?;
    Ok(workspace && fuzz)
}

fn clippy(run: &Run<'_>) -> Result<bool> {
    run.cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])
}

fn build(run: &Run<'_>) -> Result<bool> {
    run.cargo(&["test", "--workspace", "--no-run"])
}

fn tidy(run: &Run<'_>) -> Result<bool> {
    run.integration(&["tidy"], &[])
}

fn unit(run: &Run<'_>) -> Result<bool> {
    let crates = integration_tests(|p| ![ROOT, "vifd-testbed", "xtask"].contains(&p))?;
    let mut agent = integration_tests(|p| p == ROOT)?;
    agent.retain(|name| !begins(name, OWN_STAGE));
    let mut names = [crates, agent].concat();
    names.sort_unstable();
    names.dedup();
    let programs = run.programs(&names, &["--lib", "--bins", "--examples"], &[])?;
    let documents = run.cargo(&["test", "--workspace", "--doc", "--no-fail-fast"])?;
    // The encoder against libnftnl: nothing else is built with it.
    let oracle = [
        "test",
        "-p",
        "vifd-nft",
        "--features",
        ORACLE,
        "--test",
        "oracle",
    ];
    let oracle = run.cargo(&oracle)?;
    Ok(programs && documents && oracle)
}

/// The vectors are data that is not part of this repository; the two crates' own small ones run in `unit`.
fn vectors(run: &Run<'_>) -> Result<bool> {
    let tests = ["test", "--workspace", "--no-fail-fast", "--test", "vectors"];
    let Ok(dir) = std::env::var("VECTORS_DIR") else {
        println!("    VECTORS_DIR is not set: the vectors kept in the crates");
        return run.cargo(&tests);
    };
    run.cargo_env(&tests, &[("VECTORS_DIR", &dir)])
}

fn scenario(run: &Run<'_>) -> Result<bool> {
    run.integration(&["scenario"], &[])
}

fn testbed(run: &Run<'_>) -> Result<bool> {
    run.programs(&["self_test".to_owned()], &[], &[])
}

fn ovs(run: &Run<'_>) -> Result<bool> {
    run.integration(SWITCH, &["--test-threads=1"])
}

fn firewall(run: &Run<'_>) -> Result<bool> {
    run.integration(&["firewall"], &["--test-threads=1", "--nocapture"])
}

fn kernel(run: &Run<'_>) -> Result<bool> {
    run.integration(KERNEL, &["--test-threads=1"])
}

fn uml_stage(run: &Run<'_>) -> Result<bool> {
    uml::switch_tests_until(run.log, run.deadline, run.length)
}

fn docs(run: &Run<'_>) -> Result<bool> {
    let strict = [("RUSTDOCFLAGS", "-D warnings")];
    let libraries = [
        "doc",
        "--workspace",
        "--no-deps",
        "--exclude",
        "vifd",
        "--exclude",
        "xtask",
    ];
    // The program's modules are documented for those who work on them, private ones too.
    let program = [
        "doc",
        "-p",
        "vifd",
        "--lib",
        "--no-deps",
        "--document-private-items",
    ];
    let inside = [(
        "RUSTDOCFLAGS",
        "-D warnings -A rustdoc::private-intra-doc-links",
    )];
    let libraries = run.cargo_env(&libraries, &strict)?;
    Ok(run.cargo_env(&program, &inside)? && libraries)
}

fn bench(run: &Run<'_>) -> Result<bool> {
    run.cargo(&["bench", "--workspace", "--no-run"])
}

fn fuzz_stage(run: &Run<'_>) -> Result<bool> {
    // A change is held to about the same inputs each time; soak looks for others.
    let (each, seed) = match run.length {
        Length::Short => (Duration::from_secs(10), fuzz::Seed::Fixed),
        Length::Full => (Duration::from_secs(300), fuzz::Seed::Random),
    };
    fuzz::run(each, seed, run.log, run.deadline)
}
